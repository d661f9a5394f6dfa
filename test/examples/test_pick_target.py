import math

import numpy as np
import pytest
from geometry_msgs.msg import Point, PoseStamped, Vector3
from package.project import load

from fastsam2_ros.message_fields import stamp_to_ns
from fastsam2_ros.msg import TrackedObject

from .test_approach_with_nav2 import rotated

TRACKS = "/fastsam2_tracker/tracks"


@pytest.fixture(scope="module")
def module():
    return load("examples/pick_target.py")


def thing(place, width, height):
    x, y, z = place
    return TrackedObject(position=Point(x=x, y=y, z=z), extent=Vector3(x=width, y=height, z=0.05))


@pytest.mark.parametrize("place", [(0.0, 0.0, 1.0), (0.5, 0.2, 0.8), (-0.3, -0.4, 0.5)])
@pytest.mark.parametrize(("width", "height"), [(0.1, 0.04), (0.04, 0.1)])
def test_the_gripper_points_to_the_target_and_closes_across_its_narrower_side(module, place, width, height):
    pose = module.grasp(thing(place, width, height), 0.1)
    to_target = np.array(place) / np.linalg.norm(place)
    assert rotated(pose.orientation, np.array([0.0, 0, 1])) == pytest.approx(to_target)
    across = np.abs(rotated(pose.orientation, np.array([0.0, 1, 0])))
    assert (across[0] > across[1]) == (width < height)


def test_the_gripper_keeps_its_distance(module):
    place = module.grasp(thing((0.3, 0.0, 0.4), 0.05, 0.05), 0.1).position
    assert math.dist((place.x, place.y, place.z), (0.3, 0.0, 0.4)) == pytest.approx(0.1)


def test_movement_is_measured_to_the_last_place(module):
    assert module.movement([Point(x=0.0), Point(x=3.0), Point(x=1.0)]) == 2.0


def test_a_pose_comes_when_the_target_of_a_recording_lies_still(example, recording, module):
    parameters = ("frames:=5", "still:=0.05", "gripper_width:=2.0")
    with example("pick_target", TRACKS, *parameters, pick_pose=PoseStamped) as heard:
        heard.wait_for(lambda: heard.heard["pick_pose"])
    tracks = {stamp_to_ns(each.header.stamp): each.objects[0] for each in recording.heard["tracks"]}
    for pose in heard.heard["pick_pose"]:
        assert pose.header.frame_id == "camera"
        assert pose.pose == module.grasp(tracks[stamp_to_ns(pose.header.stamp)], 0.1)


def test_what_is_too_wide_is_not_picked(example, recording):
    parameters = ("frames:=5", "still:=1.0", "gripper_width:=0.001")
    with example("pick_target", TRACKS, *parameters, pick_pose=PoseStamped) as heard:
        heard.process.send_signal(2)
        log, _ = heard.process.communicate(timeout=30)
    assert "wider than the gripper" in log
    assert not heard.heard["pick_pose"]
