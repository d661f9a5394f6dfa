"""The layouts of RViz and Foxglove, and the table of topics, against the node's own topics and messages."""

import json
import re
from pathlib import Path

import pytest
import yaml

from fastsam2_ros import msg
from fastsam2_ros.node import launching
from fastsam2_ros.node.tracker_node import TrackerNode

from .fakes import CentreTracker

CONFIG = Path(__file__).parents[2] / "config"
SHOWN = {launching.IMAGE, "/fastsam2_tracker/overlay", "/fastsam2_tracker/tokens"}
"""Images that have to be seen."""


@pytest.fixture
def topics(context):
    """What the node publishes and takes, with its types, and the camera's image."""
    node = TrackerNode(lambda config: CentreTracker(), context=context)
    name, space = node.get_name(), node.get_namespace()
    published = dict(node.get_publisher_names_and_types_by_node(name, space))
    taken = dict(node.get_subscriber_names_and_types_by_node(name, space))
    node.close()
    return {launching.IMAGE: ["sensor_msgs/msg/Image"], **published, **taken}


@pytest.fixture
def rviz():
    return yaml.safe_load((CONFIG / "rviz.rviz").read_text())


@pytest.fixture
def foxglove():
    return json.loads((CONFIG / "foxglove.json").read_text())


def test_rviz_shows_image_overlay_and_tokens(rviz, topics):
    displays = rviz["Visualization Manager"]["Displays"]
    shown = {each["Topic"]["Value"] for each in displays if each["Class"] == "rviz_default_plugins/Image"}
    assert shown == SHOWN
    assert all(topics[topic] == ["sensor_msgs/msg/Image"] for topic in shown)


def test_rviz_opens_a_window_for_every_image(rviz):
    names = {each["Name"] for each in rviz["Visualization Manager"]["Displays"]}
    assert names <= set(rviz["Window Geometry"])


def test_rviz_takes_results_whatever_their_reliability(rviz):
    policies = {each["Topic"]["Reliability Policy"] for each in rviz["Visualization Manager"]["Displays"]}
    assert policies == {"Best Effort"}


def test_every_topic_that_rviz_shows_is_remapped_with_the_node(rviz):
    shown = {each["Topic"]["Value"] for each in rviz["Visualization Manager"]["Displays"]}
    assert shown == set(launching.viewer_remappings(["/a"], [], "eyes", ""))


def panels(node):
    """The ids in a Foxglove layout's tree."""
    return {node} if isinstance(node, str) else panels(node["first"]) | panels(node["second"])


def test_foxglove_places_every_panel_that_it_configures(foxglove):
    assert panels(foxglove["layout"]) == set(foxglove["configById"])


def test_foxglove_shows_image_overlay_and_tokens(foxglove, topics):
    shown = {each["imageMode"]["imageTopic"] for name, each in foxglove["configById"].items() if "imageMode" in each}
    assert shown == SHOWN
    assert all(topics[topic] == ["sensor_msgs/msg/Image"] for topic in shown)


def test_foxglove_shows_the_status(foxglove, topics):
    topic = foxglove["configById"]["RawMessages!status"]["topicPath"]
    assert topics[topic] == ["fastsam2_ros/msg/TrackerStatus"]


def test_foxglove_plots_fields_that_the_status_has(foxglove, topics):
    paths = [each["value"] for each in foxglove["configById"]["Plot!tokens"]["paths"]]
    found = [re.fullmatch(r"(/\S+)\.(\w+)", path).groups() for path in paths]
    assert {topics[topic][0] for topic, _ in found} == {"fastsam2_ros/msg/TrackerStatus"}
    assert {field for _, field in found} <= set(msg.TrackerStatus.get_fields_and_field_types())


def test_foxglove_publishes_descriptions(foxglove, topics):
    panel = foxglove["configById"]["Publish!description"]
    assert topics[panel["topicName"]] == [panel["datatype"]]


OF_ROS = {"/parameter_events", "/rosout", "/fastsam2_tracker/transition_event"}
"""Topics that every lifecycle node has."""


def test_the_table_of_topics_has_every_topic_with_its_type(topics):
    text = (CONFIG.parent / "docs/commanding.md").read_text()
    rows = dict(re.findall(r"^\| `(\S+)`(?: \(in\))? \| ([^|]+) \|", text.partition("## Topics")[2], re.MULTILINE))

    shown = {topic for topic in topics if "/_action/" not in topic}  # an action is one line elsewhere
    for topic in shown - OF_ROS - {launching.IMAGE}:
        name = topic.replace("/fastsam2_tracker/", "~/") if topic != "/diagnostics" else topic
        name = name.removeprefix("/") if not name.startswith(("~", "/diagnostics")) else name
        kind = topics[topic][0].rpartition("/")[2]
        assert kind in rows.get(name, "it is not there"), name
