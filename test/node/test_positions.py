"""Positions over real DDS."""

import array
import sys
from types import ModuleType, SimpleNamespace

import cv2
import numpy as np
import pytest
import rclpy
from geometry_msgs.msg import Point, PoseStamped
from rclpy.qos import ReliabilityPolicy
from sensor_msgs.msg import CompressedImage

from .depth_camera import SIZE, DepthCamera
from .fakes import CentreTracker
from .graph import header
from .manager import Manager

AHEAD = (0.0, 0.0, 2.0)
"""Where the middle of the frame is, with depth of 2 m."""


@pytest.fixture
def camera(graph):
    def make(**parameters):
        made = graph(CentreTracker(), **{"description": "cup", "use_depth": True, **parameters})
        return DepthCamera(made)

    return make


def place(track):
    return (track.position.x, track.position.y, track.position.z)


def test_a_target_has_its_position(camera):
    camera = camera()
    camera.calibrate()
    camera.measure(1)
    (track,) = camera.tracks(1)
    assert track.has_position
    assert place(track) == pytest.approx(AHEAD, abs=1e-6)
    assert (track.extent.x, track.extent.y) == pytest.approx((1.0, 0.75), abs=0.05)
    assert track.covariance[0] > 0
    assert camera.status().message == ""


def test_millimetres_are_taken(camera):
    camera = camera()
    camera.calibrate()
    data = array.array("B", np.full(SIZE, 2000, "<u2").tobytes())
    camera.measure(1, encoding="16UC1", step=SIZE[1] * 2, data=data)
    assert place(camera.tracks(1)[0]) == pytest.approx(AHEAD, abs=1e-6)


def test_compressed_depth_is_taken(graph):
    graph = graph(CentreTracker(), description="cup", use_depth=True, depth_image_transport="compressedDepth")
    camera = DepthCamera(graph, compressed=True)
    camera.calibrate()
    png = cv2.imencode(".png", np.full(SIZE, 2000, np.uint16))[1].tobytes()
    data = array.array("B", bytes(12) + png)
    camera.publish_depth(1, CompressedImage(header=header(1), format="16UC1; compressedDepth png", data=data))
    assert place(camera.tracks(1)[0]) == pytest.approx(AHEAD, abs=1e-6)


def test_depth_of_another_transport_is_told_with_the_cure(camera, domain):
    camera = camera()
    camera.graph.peer.destroy_publisher(camera.depth)
    other = rclpy.Context()  # One participant cannot have two types on a topic.
    rclpy.init(context=other, domain_id=domain)
    try:
        driver = rclpy.create_node("driver", context=other)
        driver.create_publisher(CompressedImage, "depth", 10)
        # Diagnostics, each second, have the graph looked at again.
        camera.graph.wait_for(lambda: camera.graph.node.count_publishers("/depth"))
        camera.tracks(1)
        assert "depth_image_transport" in camera.status().message
    finally:
        rclpy.try_shutdown(context=other)


def test_the_pose_of_the_target_has_the_header_of_the_image(camera):
    camera = camera()
    camera.calibrate()
    camera.measure(1)
    camera.graph.send_good(1)
    camera.graph.wait_for(lambda: camera.graph.heard["target_pose"])
    (pose,) = camera.graph.heard["target_pose"]
    assert pose.header == header(1)
    assert pose.pose.position.z == 2.0


def test_points_are_those_of_the_target(camera):
    camera = camera()
    camera.calibrate()
    camera.measure(1)
    camera.graph.send_good(1)
    camera.graph.wait_for(lambda: camera.graph.heard["points"])
    (cloud,) = camera.graph.heard["points"]
    assert (cloud.header, cloud.width) == (header(1), 24 * 32)


def test_depth_of_another_moment_is_not_taken_and_its_distance_is_told(camera):
    camera = camera(depth_tolerance=0.05)
    camera.calibrate()
    camera.measure(1000)
    (track,) = camera.tracks(1100)
    assert (track.has_position, track.position) == (False, Point())
    assert track.has_box
    assert "0.100 s older" in camera.status().message
    assert "depth_tolerance" in camera.status().message


def test_depth_within_the_tolerance_is_taken(camera):
    camera = camera(depth_tolerance=0.05)
    camera.calibrate()
    camera.measure(1000)
    assert camera.tracks(1040)[0].has_position


def test_positions_come_back_with_depth(camera):
    camera = camera()
    camera.calibrate()
    camera.measure(1000)
    assert not camera.tracks(2000)[0].has_position
    camera.measure(3000)
    assert camera.tracks(3000)[0].has_position
    assert camera.status().message == ""


def test_without_camera_info_there_are_tracks_and_the_reason(camera):
    camera = camera()
    camera.measure(1)
    (track,) = camera.tracks(1)
    assert (track.has_box, track.has_position) == (True, False)
    assert "camera_info has come on /camera_info" in camera.status().message


def test_without_depth_there_are_tracks_and_the_reason(camera):
    camera = camera()
    camera.calibrate()
    (track,) = camera.tracks(1)
    assert (track.has_box, track.has_position) == (True, False)
    assert "No depth image has come on /depth" in camera.status().message


def test_nothing_is_published_where_there_is_no_position(camera):
    camera = camera()
    camera.calibrate()
    camera.graph.send_good(1)
    camera.measure(2)
    camera.graph.send_good(2)
    camera.graph.wait_for(lambda: camera.graph.heard["target_pose"] and camera.graph.heard["points"])
    assert [message.header for message in camera.graph.heard["target_pose"]] == [header(2)]
    assert [message.header for message in camera.graph.heard["points"]] == [header(2)]


@pytest.mark.parametrize(
    ("info", "depth", "told"),
    [
        ({"k": (0.0,) * 9}, {}, "calibrate"),
        ({}, {"encoding": "rgb8"}, "rgb8"),
        ({}, {"frame_id": "depth_camera"}, "depth_camera"),
        ({}, {"size": (64, 48)}, "48 x 64"),
        ({"height": 36}, {}, "camera_info is 64 x 36"),
        ({"binning_x": 5000}, {}, "binning"),
    ],
    ids=["not calibrated", "no depth", "not aligned", "of another shape", "info of another shape", "binned to nothing"],
)
def test_what_cannot_be_used_is_told_and_tracking_goes_on(camera, info, depth, told):
    camera = camera()
    camera.calibrate(**info)
    camera.measure(1, **depth)
    (track,) = camera.tracks(1)
    assert (track.has_box, track.has_position) == (True, False)
    assert told in camera.status().message


def test_whatever_fails_at_depth_is_told_and_tracking_goes_on(camera, monkeypatch):
    def fail(*_):
        raise ZeroDivisionError("no such place")

    monkeypatch.setattr("fastsam2_ros.node.positions.locate", fail)
    camera = camera()
    camera.calibrate()
    camera.measure(1)
    (track,) = camera.tracks(1)
    assert (track.has_box, track.has_position) == (True, False)
    assert "no such place" in camera.status().message


def test_depth_of_half_the_resolution_is_taken(camera):
    camera = camera()
    camera.calibrate()
    camera.measure(1, size=(24, 32))
    assert place(camera.tracks(1)[0]) == pytest.approx(AHEAD, abs=1e-6)


def test_a_restarted_depth_camera_is_taken_again(camera):
    camera = camera()
    camera.calibrate()
    camera.measure(1000)
    assert camera.tracks(1000)[0].has_position
    camera.graph.peer.destroy_publisher(camera.depth)
    camera.depth = camera.depth_publisher()
    camera.graph.wait_for(lambda: camera.depth.get_subscription_count() == 2)
    camera.measure(500)  # Its clock begins anew.
    assert camera.tracks(500)[0].has_position


def test_a_depth_camera_that_offers_too_little_is_told_with_the_cure(graph):
    graph = graph(CentreTracker(), description="cup", use_depth=True, image_reliability="reliable")
    camera = DepthCamera(graph, ReliabilityPolicy.BEST_EFFORT)
    camera.graph.wait_for(lambda: graph.node.count_publishers("/depth"))
    camera.tracks(1)
    assert "image_reliability" in camera.status().message


def test_depth_is_not_subscribed_to_without_use_depth(graph):
    graph = graph(CentreTracker(), description="cup")
    graph.send_good(1)
    assert graph.peer.count_subscribers("/depth") == 0
    assert graph.peer.count_publishers("/fastsam2_tracker/target_pose") == 0


def test_depth_is_given_up_with_the_images(camera):
    camera = camera()
    camera.calibrate()
    manager = Manager(camera.graph)
    assert manager.change("deactivate")
    camera.graph.wait_for(lambda: camera.depth.get_subscription_count() == 1)  # Its own.
    assert manager.change("activate")
    camera.graph.wait_for(lambda: camera.depth.get_subscription_count() == 2)


def test_tf_without_tf2_is_told(camera, monkeypatch):
    monkeypatch.setitem(sys.modules, "tf2_ros", None)
    camera = camera(publish_tf=True)
    entry = camera.graph.wait_for_diagnostics(lambda entry: any(each.key == "problem (tf)" for each in entry.values))
    assert "tf2_ros" in next(each.value for each in entry.values if each.key == "problem (tf)")


@pytest.fixture
def sent(monkeypatch):
    """What goes to a stand-in for tf2_ros, whose broadcaster has a publisher on /tf as well."""
    sent, tf2 = [], ModuleType("tf2_ros")
    tf2.TransformBroadcaster = lambda node: SimpleNamespace(
        sendTransform=sent.extend, pub_tf=node.create_publisher(PoseStamped, "/tf", 1)
    )
    monkeypatch.setitem(sys.modules, "tf2_ros", tf2)
    return sent


def test_a_frame_for_each_target_goes_to_tf(camera, sent):
    camera = camera(publish_tf=True, description="cup; plate")
    camera.calibrate()
    camera.measure(1)
    camera.tracks(1)
    assert [each.child_frame_id for each in sent] == ["fastsam2_tracker/target_1", "fastsam2_tracker/target_2"]
    assert rclpy.time.Time.from_msg(sent[0].header.stamp).nanoseconds == 1_000_000


def test_the_publisher_of_tf_is_taken_back_with_the_images(camera, sent):
    camera = camera(publish_tf=True)
    manager = Manager(camera.graph)
    for _ in range(2):
        assert manager.change("deactivate")
        assert manager.change("activate")
    assert [each.topic for each in camera.graph.node.publishers].count("/tf") == 1
