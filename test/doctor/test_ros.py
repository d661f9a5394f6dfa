from types import SimpleNamespace

import pytest
from ros_domain import own_domain

pytest.importorskip("rclpy", reason="the graph needs rclpy")

import rclpy
from rclpy.node import Node
from rclpy.qos import ReliabilityPolicy
from sensor_msgs.msg import Image

from fastsam2_ros.doctor import ros
from fastsam2_ros.doctor.findings import Verdict


def without(*missing):
    def load(name):
        if name in missing:
            raise ImportError(f"No module named '{name}'")

    return {each.what: each for each in ros.packages(load)}


def test_messages_that_are_not_built_have_a_cure():
    finding = without("fastsam2_ros.msg")["fastsam2_ros.msg"]
    assert finding.verdict == Verdict.MISSING
    assert "colcon build" in finding.cure


@pytest.mark.parametrize(("name", "package"), [("vision_msgs.msg", "vision-msgs"), ("cv_bridge", "cv-bridge")])
def test_what_only_some_things_need_is_optional(name, package):
    finding = without(name)[name.partition(".")[0]]
    assert finding.verdict == Verdict.OPTIONAL
    assert package in finding.cure


def test_all_is_well_where_everything_loads():
    assert {each.verdict for each in without().values()} == {Verdict.GOOD}


@pytest.mark.parametrize(
    ("variables", "verdict", "cure"),
    [
        ({}, Verdict.OPTIONAL, "export FASTDDS_DEFAULT_PROFILES_FILE"),
        ({"ROS_DISTRO": "humble"}, Verdict.OPTIONAL, "export FASTRTPS_DEFAULT_PROFILES_FILE"),
        ({"FASTDDS_DEFAULT_PROFILES_FILE": "/no/such.xml"}, Verdict.MISSING, "export"),
        ({"FASTDDS_DEFAULT_PROFILES_FILE": __file__}, Verdict.GOOD, ""),
    ],
)
def test_the_dds_profile_is_judged(variables, verdict, cure):
    (finding,) = (each for each in ros.environment(variables) if each.what == "DDS profile")
    assert finding.verdict == verdict
    assert finding.cure.startswith(cure)


@pytest.mark.parametrize(("megabytes", "verdict"), [(64, Verdict.OPTIONAL), (8000, Verdict.GOOD)])
def test_shared_memory_of_a_container_is_too_small(megabytes, verdict):
    space = SimpleNamespace(free=megabytes * 2**20, total=megabytes * 2**20)
    assert ros.shared_memory(usage=lambda folder: space).verdict == verdict


def endpoint(kind="sensor_msgs/msg/Image", reliability=ReliabilityPolicy.BEST_EFFORT):
    return SimpleNamespace(topic_type=kind, qos_profile=SimpleNamespace(reliability=reliability))


def test_a_topic_is_shown_with_type_reliability_and_rate():
    finding = ros.topic_finding("/camera/image", [endpoint()], 30, 2.0)
    assert (finding.verdict, finding.found) == (Verdict.GOOD, "Image, best_effort, 15.0 Hz")


def test_a_topic_whose_images_do_not_come_has_the_cure():
    finding = ros.topic_finding("/camera/image", [endpoint()], 0, 2.0)
    assert finding.verdict == Verdict.OPTIONAL
    assert "profile" in finding.cure


@pytest.fixture
def camera(monkeypatch):
    """A node with an image topic, on a domain that the doctor is on too."""
    domain = own_domain()
    monkeypatch.setenv("ROS_DOMAIN_ID", str(domain))
    context = rclpy.Context()
    rclpy.init(context=context, domain_id=domain)
    node = Node("camera", context=context)
    node.create_publisher(Image, "/camera/image", 1)
    yield node
    node.destroy_node()
    rclpy.try_shutdown(context=context)


@pytest.mark.usefixtures("camera")
def test_image_topics_on_the_graph_are_found():
    findings = {each.what: each for each in ros.image_topics(3.0)}
    assert findings["/camera/image"].found == "Image, reliable, 0.0 Hz"
