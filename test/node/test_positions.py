"""Positions over real DDS."""

import array
import sys
from types import ModuleType

import numpy as np
import pytest
import rclpy
from geometry_msgs.msg import Point, PoseStamped
from rclpy.event_handler import PublisherEventCallbacks, SubscriptionEventCallbacks
from rclpy.qos import QoSProfile, ReliabilityPolicy
from sensor_msgs.msg import CameraInfo, Image, PointCloud2

from .fakes import CentreTracker
from .graph import ALL, header

SIZE = (48, 64)
K = (64.0, 0, 31.5, 0, 64.0, 23.5, 0, 0, 1)
AHEAD = (0.0, 0.0, 2.0)
"""Where the middle of the frame is, with depth of 2 m."""


class Camera:
    """Depth and camera_info of the peer of a graph, and what comes of them."""

    def __init__(self, graph, reliability=ReliabilityPolicy.RELIABLE):
        self.graph = graph
        self.depth = self.depth_publisher(reliability)
        self.info = graph.peer.create_publisher(CameraInfo, "camera_info", 10, event_callbacks=self.matched())
        topics = {"target_pose": PoseStamped, "points": PointCloud2}
        # What it says itself is heard too, so that it is known when it has come.
        for name, type_ in {**topics, "/depth": Image, "/camera_info": CameraInfo}.items():
            topic = name if name[0] == "/" else f"fastsam2_tracker/{name}"
            heard = SubscriptionEventCallbacks(matched=graph._notify)
            subscription = graph.peer.create_subscription(type_, topic, graph._keep(name), ALL, event_callbacks=heard)
            if name in topics:
                self.wait_until(subscription.get_publisher_count)
        self.wait_until(lambda: self.info.get_subscription_count() == 2)
        self.wait_until(lambda: graph.node._positions._input is not None)
        if reliability == ReliabilityPolicy.RELIABLE:
            self.wait_until(lambda: self.depth.get_subscription_count() == 2)

    def matched(self):
        return PublisherEventCallbacks(matched=self.graph._notify)

    def depth_publisher(self, reliability=ReliabilityPolicy.RELIABLE):
        qos = QoSProfile(depth=10, reliability=reliability)
        return self.graph.peer.create_publisher(Image, "depth", qos, event_callbacks=self.matched())

    def wait_until(self, condition):
        self.graph.wait_for(condition)

    def calibrate(self, **fields):
        self.info.publish(CameraInfo(**{"width": SIZE[1], "height": SIZE[0], "k": K, **fields}))
        self.wait_until(lambda: self.graph.node._positions._input._info is not None)

    def measure(self, stamp, metres=2.0, size=SIZE, frame_id="camera", **fields):
        self.depth.publish(depth_image(stamp, metres, size, frame_id, **fields))
        self.wait_until(lambda: has_come(self.graph.node, stamp))

    def tracks(self, stamp):
        """The tracks of an image of this stamp, which is sent."""
        self.graph.send_good(stamp)
        heard = self.graph.heard["tracks"]
        self.graph.wait_for(lambda: any(message.header == header(stamp) for message in heard))
        return next(message for message in heard if message.header == header(stamp)).objects

    def status(self):
        return self.graph.heard["status"][-1]


def has_come(node, stamp):
    known = node._positions._input._buffer._newest
    return any(each[0] == stamp * 1_000_000 for each in list(known))


def depth_image(stamp, metres, size, frame_id, **fields):
    height, width = size
    values = np.full(size, metres, "<f4")
    data = array.array("B", values.tobytes())
    good = {"height": height, "width": width, "encoding": "32FC1", "step": width * 4, "data": data}
    message = Image(header=header(stamp), **{**good, **fields})
    message.header.frame_id = frame_id
    return message


@pytest.fixture
def camera(graph):
    def make(**parameters):
        made = graph(CentreTracker(), **{"description": "cup", "use_depth": True, **parameters})
        return Camera(made)

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
    ],
    ids=["not calibrated", "no depth", "not aligned", "of another shape", "info of another shape"],
)
def test_what_cannot_be_used_is_told_and_tracking_goes_on(camera, info, depth, told):
    camera = camera()
    camera.calibrate(**info)
    camera.measure(1, **depth)
    (track,) = camera.tracks(1)
    assert (track.has_box, track.has_position) == (True, False)
    assert told in camera.status().message


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
    camera.wait_until(lambda: camera.depth.get_subscription_count() == 2)
    camera.measure(500)  # Its clock begins anew.
    assert camera.tracks(500)[0].has_position


def test_a_depth_camera_that_offers_too_little_is_told_with_the_cure(graph):
    graph = graph(CentreTracker(), description="cup", use_depth=True, image_reliability="reliable")
    camera = Camera(graph, ReliabilityPolicy.BEST_EFFORT)
    camera.wait_until(lambda: graph.node._positions._input._too_little)
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
    camera.graph.node._worker.call(camera.graph.node.trigger_deactivate)
    camera.wait_until(lambda: camera.depth.get_subscription_count() == 1)  # Its own.
    camera.graph.node._worker.call(camera.graph.node.trigger_activate)
    camera.wait_until(lambda: camera.depth.get_subscription_count() == 2)


def test_tf_without_tf2_is_told(camera, monkeypatch):
    monkeypatch.setitem(sys.modules, "tf2_ros", None)
    camera = camera(publish_tf=True)
    entry = camera.graph.wait_for_diagnostics(lambda entry: any(each.key == "problem (tf)" for each in entry.values))
    assert "tf2_ros" in next(each.value for each in entry.values if each.key == "problem (tf)")


def test_a_frame_for_each_target_goes_to_tf(camera, monkeypatch):
    sent = []
    tf2 = ModuleType("tf2_ros")
    tf2.TransformBroadcaster = lambda node: type("Broadcaster", (), {"sendTransform": staticmethod(sent.extend)})
    monkeypatch.setitem(sys.modules, "tf2_ros", tf2)
    camera = camera(publish_tf=True, description="cup; plate")
    camera.calibrate()
    camera.measure(1)
    camera.tracks(1)
    assert [each.child_frame_id for each in sent] == ["fastsam2_tracker/target_1", "fastsam2_tracker/target_2"]
    assert rclpy.time.Time.from_msg(sent[0].header.stamp).nanoseconds == 1_000_000
