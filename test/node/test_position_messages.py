from types import SimpleNamespace

import numpy as np
import pytest
from geometry_msgs.msg import Point, Pose, Quaternion, Vector3

from fastsam2_ros.depth import Camera, DepthImage
from fastsam2_ros.node import messages, position_messages
from fastsam2_ros.node.depth import DepthView
from fastsam2_ros.positions import Position, locate
from fastsam2_ros.results import TrackedObject, TrackState

from .graph import header

HEADER = header(1234)
SIZE = (40, 60)
CAMERA = Camera(50.0, 50.0, 29.5, 19.5, 60, 40)
HERE = Position((0.1, 0.2, 1.5), (0.3, 0.4, 0.5), np.diag([0.01, 0.02, 0.03]), 1.4, 1.6)


def target(number, left=10, score=0.5, state=TrackState.TRACKING):
    mask = np.zeros(SIZE, bool)
    mask[10:20, left : left + 10] = True
    return TrackedObject.of_mask(number, f"thing {number}", state, score, mask)


def view(near=1.0, size=SIZE):
    return DepthView(DepthImage(np.full(size, near, np.float32)), CAMERA)


@pytest.mark.parametrize(
    ("last", "chosen"),
    [(0, 2), (1, 1), (3, 2), (9, 2)],
    ids=["the best score", "the last one", "not one that is uncertain", "not one that has gone"],
)
def test_the_pose_is_of_the_best_target(last, chosen):
    targets = [target(1, score=0.6), target(2, score=0.8), target(3, score=0.9, state=TrackState.UNCERTAIN)]
    assert position_messages.best(targets, dict.fromkeys((1, 2, 3), HERE), last) == chosen


def test_the_pose_is_of_a_target_with_a_position():
    assert position_messages.best([target(1), target(2)], {2: HERE}, 1) == 2


def test_without_a_position_there_is_no_best():
    assert position_messages.best([target(1)], {}, 1) == 0


def test_a_pose_has_no_rotation():
    message = position_messages.target_pose(HEADER, HERE)
    assert message.header == HEADER
    assert message.pose == Pose(position=Point(x=0.1, y=0.2, z=1.5), orientation=Quaternion(w=1.0))


def points(message):
    """Structured array of a PointCloud2, by its own description."""
    kinds = {7: "<f4", 6: "<u4"}
    fields = message.fields
    dtype = np.dtype(
        {
            "names": [field.name for field in fields],
            "formats": [kinds[field.datatype] for field in fields],
            "offsets": [field.offset for field in fields],
            "itemsize": message.point_step,
        }
    )
    return np.frombuffer(message.data, dtype)


def cloud(targets, depth_view):
    frame = np.zeros((*SIZE, 3), np.uint8)
    frame[..., 0] = np.arange(60)
    frame[..., 2] = 7
    found = {each.id: locate(each.mask, depth_view.depth, depth_view.camera) for each in targets}
    return position_messages.point_cloud(HEADER, frame, targets, found, depth_view)


def test_a_cloud_has_the_points_of_all_targets():
    message = cloud([target(1), target(300, left=30)], view())
    cloud_points = points(message)
    assert (message.header, message.width, message.height, message.is_dense) == (HEADER, 200, 1, True)
    assert message.row_step == len(message.data) == 200 * message.point_step
    assert np.bincount(cloud_points["id"]).nonzero()[0].tolist() == [1, 300]
    np.testing.assert_allclose(cloud_points["z"], 1)
    assert cloud_points["x"].min() == pytest.approx((10 - 29.5) / 50)


def test_points_have_the_colour_of_their_pixel():
    colours = points(cloud([target(1)], view()))["rgb"].view("<u4")
    assert set(colours >> 16) == set(range(10, 20))
    assert set(colours & 0xFFFF) == {7}


def test_points_of_depth_of_another_resolution_have_the_colour_of_their_pixel():
    colours = points(cloud([target(1)], view(size=(20, 30))))["rgb"].view("<u4")
    assert set(colours >> 16) == set(range(10, 20, 2))


def test_without_targets_a_cloud_is_empty():
    message = cloud([], view())
    assert (message.width, len(message.data)) == (0, 0)


def vision_stand_in():
    """The part of vision_msgs 4 that is written to, as plain namespaces."""

    def hypothesis():
        pose = SimpleNamespace(pose=None, covariance=None)
        return SimpleNamespace(hypothesis=SimpleNamespace(class_id="", score=0.0), pose=pose)

    def detection(**fields):
        return SimpleNamespace(bbox=SimpleNamespace(center=None, size=None), **fields)

    return SimpleNamespace(Detection3DArray=SimpleNamespace, Detection3D=detection, ObjectHypothesisWithPose=hypothesis)


def vision_modules():
    stand_in = pytest.param(vision_stand_in(), id="stand-in")
    real = messages.vision_msgs()
    missing = pytest.mark.skipif(real is None, reason="vision_msgs is not installed")
    return [stand_in, pytest.param(real, id="vision_msgs", marks=missing)]


@pytest.mark.parametrize("vision", vision_modules())
def test_a_detection_has_position_size_and_covariance(vision):
    message = position_messages.detections(HEADER, [target(7), target(8)], {7: HERE}, vision)
    (detection,) = message.detections
    assert (detection.id, detection.results[0].hypothesis.class_id) == ("7", "thing 7")
    assert detection.bbox.center.position == Point(x=0.1, y=0.2, z=1.5)
    assert detection.bbox.size == Vector3(x=0.3, y=0.4, z=0.5)
    covariance = np.reshape(detection.results[0].pose.covariance, (6, 6))
    np.testing.assert_array_equal(covariance[:3, :3], HERE.covariance)
    assert not covariance[3:].any()


def test_a_frame_of_a_target_is_named_after_node_and_id():
    (transform,) = position_messages.transforms(HEADER, "/robot/fastsam2_tracker", {7: HERE})
    assert (transform.header, transform.child_frame_id) == (HEADER, "robot/fastsam2_tracker/target_7")
    assert transform.transform.translation == Vector3(x=0.1, y=0.2, z=1.5)
    assert transform.transform.rotation == Quaternion(w=1.0)
