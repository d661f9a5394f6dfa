import math

import pytest
from geometry_msgs.msg import Twist
from package.project import load
from sensor_msgs.msg import CameraInfo, RegionOfInterest

from fastsam2_ros.lab.synthetic.depth import camera_of
from fastsam2_ros.msg import TrackedObject

from .conftest import FRAMES, SIZE


@pytest.fixture(scope="module")
def module():
    return load("examples/keep_in_view.py")


@pytest.mark.parametrize(("column", "angle"), [(320, 0.0), (0, math.pi / 4), (640, -math.pi / 4)])
def test_what_is_to_the_left_is_positive(module, column, angle):
    assert module.angle_to_the_left(column, 320.0, 320.0) == pytest.approx(angle)


def angle_for(module, info):
    """To a target at column 100."""
    target = TrackedObject(state=TrackedObject.TRACKING, has_box=True, centroid_x=100.0, score=0.9)
    return module.angle_to_the_best([target], info)


K = (320.0, 0.0, 319.5, 0.0, 320.0, 239.5, 0.0, 0.0, 1.0)


@pytest.mark.parametrize("info", [None, CameraInfo(), CameraInfo(k=(-1.0, *K[1:])), CameraInfo(k=(math.nan, *K[1:]))])
def test_it_stays_still_without_a_calibration(module, info):
    assert angle_for(module, info) == 0.0


@pytest.mark.parametrize(
    ("fields", "angle"),
    [
        ({}, math.atan2(219.5, 320)),
        ({"binning_x": 2}, math.atan2(59.5, 160)),
        ({"roi": RegionOfInterest(x_offset=200)}, math.atan2(19.5, 320)),
    ],
    ids=["whole", "binned", "cut out"],
)
def test_the_lens_is_that_of_the_image_as_it_is_sent(module, fields, angle):
    assert angle_for(module, CameraInfo(k=K, **fields)) == pytest.approx(angle)


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
