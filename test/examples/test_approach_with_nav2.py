import math

import numpy as np
import pytest
from geometry_msgs.msg import PoseStamped
from package.project import load

from fastsam2_ros.message_fields import stamp_to_ns

TRACKER = "/fastsam2_tracker/target_pose"


@pytest.fixture(scope="module")
def module():
    return load("examples/approach_with_nav2.py")


def target(x, y, z):
    pose = PoseStamped()
    pose.pose.position.x, pose.pose.position.y, pose.pose.position.z = x, y, z
    return pose


def rotated(quaternion, vector):
    w, axis = quaternion.w, np.array([quaternion.x, quaternion.y, quaternion.z])
    return vector + 2 * np.cross(axis, np.cross(axis, vector) + w * vector)


@pytest.mark.parametrize("right", [-2.0, -0.5, 0.0, 0.7])
def test_the_robot_drives_where_it_looks_and_stands_upright(module, right):
    turn = module.heading(right)
    ahead, up = (rotated(turn, np.array(axis, float)) for axis in ([1, 0, 0], [0, 0, 1]))
    assert ahead == pytest.approx([math.sin(right), 0, math.cos(right)])
    assert up == pytest.approx([0, -1, 0])


def test_the_goal_lies_before_the_target_on_the_ground(module):
    place = module.goal_before(target(3.0, 0.5, 4.0), 1.0).pose.position
    assert (place.x, place.y, place.z) == pytest.approx((2.4, 0.0, 3.2))


@pytest.mark.parametrize("z", [0.3, 1.0, 1.05])
def test_there_is_no_goal_where_the_robot_is_there(module, z):
    assert module.goal_before(target(0.0, 0.0, z), 1.0) is None


def test_goals_follow_the_target_of_a_recording(example, recording, module):
    with example("approach_with_nav2", TRACKER, "period:=0.2", "distance:=0.5", goal_pose=PoseStamped) as heard:
        heard.wait_for(lambda: len(heard.heard["goal_pose"]) >= 3)
    poses = {stamp_to_ns(each.header.stamp): each for each in recording.heard["target_pose"]}
    stamps = [stamp_to_ns(goal.header.stamp) for goal in heard.heard["goal_pose"]]
    assert min(np.diff(stamps)) >= 0.2e9
    for stamp, goal in zip(stamps, heard.heard["goal_pose"], strict=True):
        assert goal == module.goal_before(poses[stamp], 0.5)
        assert goal.header.frame_id == "camera"
