"""Quality of service: overrides, and mismatches in both directions, over DDS."""

import pytest
from rclpy.node import Node
from rclpy.parameter import Parameter
from rclpy.qos import DurabilityPolicy, QoSProfile, ReliabilityPolicy
from sensor_msgs.msg import Image

from fastsam2_ros.errors import InputError
from fastsam2_ros.node import qos
from fastsam2_ros.node.tracker_node import TrackerNode

from .fakes import CentreTracker
from .manager import Manager

BEST_EFFORT = QoSProfile(depth=1, reliability=ReliabilityPolicy.BEST_EFFORT)
LATCHED = QoSProfile(depth=1, durability=DurabilityPolicy.TRANSIENT_LOCAL)


def problem(subject):
    """Whether a diagnostics entry tells of a problem with this subject."""
    return lambda entry: any(value.key == f"problem ({subject})" for value in entry.values)


def wait_until_well(graph, subject):
    """Waits for an entry, among those that are still to come, without a problem of this subject."""
    seen = len(graph.heard["diagnostics"])
    graph.wait_for(lambda: any(not problem(subject)(each.status[0]) for each in graph.heard["diagnostics"][seen:]))


def test_a_camera_that_offers_too_little_is_told_by_its_name_until_it_has_gone(graph):
    graph = graph(CentreTracker(), subscribe=("status",), image_reliability="reliable")
    camera = graph.peer.create_publisher(Image, "image", BEST_EFFORT)
    entry = graph.wait_for_diagnostics(problem("qos"))
    told = next(value.value for value in entry.values if value.key == "problem (qos)")
    assert "peer of /image" in told
    assert "image_reliability" in told
    graph.peer.destroy_publisher(camera)
    wait_until_well(graph, "qos")


def test_a_subscriber_that_asks_for_too_much_is_told_by_its_name_until_it_has_gone(graph):
    graph = graph(CentreTracker(), subscribe=("status",))
    planner = graph.peer.create_subscription(Image, "fastsam2_tracker/mask", print, LATCHED)
    entry = graph.wait_for_diagnostics(problem("subscribers"))
    told = next(value.value for value in entry.values if value.key == "problem (subscribers)")
    assert "peer of /fastsam2_tracker/mask" in told
    assert "qos_overrides./fastsam2_tracker/mask.publisher" in told
    graph.peer.destroy_subscription(planner)
    wait_until_well(graph, "subscribers")


def test_an_override_makes_the_mask_latched(graph):
    override = {"qos_overrides./fastsam2_tracker/mask.publisher.durability": "transient_local"}
    graph = graph(CentreTracker(), subscribe=("status",), description="cup", **override)
    early, late = [], []
    # Images are made while someone subscribes; a late subscriber gets the newest of them all the same.
    first = graph.peer.create_subscription(Image, "fastsam2_tracker/mask", early.append, LATCHED)
    graph.wait_for(first.get_publisher_count)
    graph.send_good(7)
    graph.peer.create_subscription(
        Image, "fastsam2_tracker/mask", lambda mask: (late.append(mask), graph.notify()), LATCHED
    )
    graph.wait_for(lambda: late)
    assert late[0].header.stamp.nanosec == 7_000_000


def test_an_override_of_the_images_reliability_counts_more_than_the_parameter(graph):
    override = {"qos_overrides./image.subscription.reliability": "reliable"}
    graph = graph(CentreTracker(), subscribe=("status",), **override)
    (info,) = graph.node.get_subscriptions_info_by_topic("/image")
    assert info.qos_profile.reliability == ReliabilityPolicy.RELIABLE


def test_an_override_outlives_a_deactivation(graph):
    override = {"qos_overrides./image.subscription.reliability": "reliable"}
    graph = graph(CentreTracker(), subscribe=("status",), **override)
    manager = Manager(graph)
    assert manager.change("deactivate")
    graph.wait_for(lambda: not graph.image.get_subscription_count())
    assert manager.change("activate")
    graph.wait_for(graph.image.get_subscription_count)
    (info,) = graph.node.get_subscriptions_info_by_topic("/image")
    assert info.qos_profile.reliability == ReliabilityPolicy.RELIABLE


def test_an_override_that_makes_no_sense_is_refused_with_its_topic(context):
    override = Parameter("qos_overrides./fastsam2_tracker/mask.publisher.reliability", value="perhaps")
    with pytest.raises(InputError, match=r"/fastsam2_tracker/mask.*perhaps"):
        TrackerNode(lambda config: CentreTracker(), context=context, parameter_overrides=[override])


@pytest.mark.parametrize(
    ("offered", "wanted", "fits"),
    [
        (qos.reliable(), qos.reliable(), True),
        (qos.reliable(), BEST_EFFORT, True),
        (BEST_EFFORT, qos.reliable(), False),
        (qos.latched(), qos.reliable(), True),
        (qos.reliable(), qos.latched(), False),
    ],
)
def test_only_what_is_asked_for_and_not_offered_is_a_mismatch(context, offered, wanted, fits):
    node = Node("both", context=context)
    publisher = node.create_publisher(Image, "image", offered)
    subscription = node.create_subscription(Image, "image", print, wanted)
    assert (qos.unheard(node, "/image", wanted) == "") is fits
    assert (qos.unserved(node, [publisher]) == "") is fits
    node.destroy_subscription(subscription)
    node.destroy_node()
