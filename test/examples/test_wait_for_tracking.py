import os
import subprocess
import sys

import pytest
from package.project import load
from ros_domain import own_domain
from std_msgs.msg import String

from fastsam2_ros.msg import TrackedObject

from .listening import ROOT

TRACKS = "/fastsam2_tracker/tracks"
SEARCHING, TRACKING, UNCERTAIN = 0, 1, 2


def test_it_waits_until_the_target_of_a_recording_is_tracked(example, recording):
    description = recording.clip.description
    with example("wait_for_tracking", TRACKS, f"description:='{description}'", target_description=String) as heard:
        assert heard.process.wait(60) == 0
    assert {each.data for each in heard.heard["target_description"]} == {description}


def test_it_fails_after_its_time():
    command = [sys.executable, ROOT / "examples" / "wait_for_tracking.py", "--ros-args", "-p", "timeout:=0.5"]
    environment = {**os.environ, "ROS_DOMAIN_ID": str(own_domain())}
    assert subprocess.run(command, env=environment, check=False, timeout=60).returncode == 1


@pytest.mark.parametrize(
    ("frames", "count"),
    [
        ([[("cup", TRACKING)], [("cup", TRACKING)]], 2),
        ([[("cup", TRACKING)], [("cup", UNCERTAIN)]], 0),
        ([[("plate", TRACKING)]], 0),
        ([[("object", TRACKING), ("cup", SEARCHING)]], 0),
        ([[("object", SEARCHING), ("cup", TRACKING)]], 1),
        ([[]], 0),
    ],
    ids=["one after the other", "an interruption", "another target", "another beside it", "it beside another", "none"],
)
@pytest.mark.parametrize("description", ["cup", " Cup ; spoon;"])
def test_frames_in_a_row_are_counted(frames, count, description):
    found = 0
    for targets in frames:
        objects = [TrackedObject(description=each, state=state) for each, state in targets]
        found = load("examples/wait_for_tracking.py").in_a_row(found, description, objects)
    assert found == count
