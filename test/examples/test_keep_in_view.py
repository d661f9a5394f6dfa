import math

import pytest
from geometry_msgs.msg import Twist
from package.project import load

from fastsam2_ros.lab.synthetic.depth import camera_of

from .conftest import FRAMES, SIZE


@pytest.fixture(scope="module")
def module():
    return load("examples/keep_in_view.py")


@pytest.mark.parametrize(("column", "angle"), [(320, 0.0), (0, math.pi / 4), (640, -math.pi / 4)])
def test_what_is_to_the_left_is_positive(module, column, angle):
    assert module.angle_to_the_left(column, 320.0, 320.0) == pytest.approx(angle)


def test_it_turns_towards_the_target_of_a_recording_and_stops_when_it_is_lost(example, recording, module):
    topic = "/fastsam2_tracker/tracks"
    with example("keep_in_view", topic, "gain:=1.0", "fastest:=100.0", cmd_vel=Twist) as heard:
        heard.wait_for(lambda: any(each.angular.z for each in heard.heard["cmd_vel"]))
        heard.wait_for(lambda: heard.heard["cmd_vel"][-1].angular.z == 0.0)
    lens = camera_of(SIZE)
    objects = [tracks.objects[0] for tracks in recording.heard["tracks"][:FRAMES]]
    wanted = [module.angle_to_the_left(each.centroid_x, lens.fx, lens.cx) for each in objects]
    turns = [each.angular.z for each in heard.heard["cmd_vel"] if each.angular.z]
    # The first frames may come before camera_info.
    assert len(turns) > FRAMES / 2
    assert turns == pytest.approx(wanted[-len(turns) :])
