import os
import subprocess
import sys
from types import SimpleNamespace

import pytest
from node.graph import header
from package.project import load
from ros_domain import own_domain
from std_msgs.msg import String

from fastsam2_ros.msg import TrackerStatus

from .listening import ROOT

STATUS = "/fastsam2_tracker/status"
TRACKING, UNCERTAIN = 1, 2


def test_it_waits_until_the_target_of_a_recording_is_tracked(example, recording):
    description = recording.clip.description
    with example("wait_for_tracking", STATUS, f"description:='{description}'", target_description=String) as heard:
        assert heard.process.wait(60) == 0
    assert {each.data for each in heard.heard["target_description"]} == {description}


def test_it_fails_after_its_time():
    command = [sys.executable, ROOT / "examples" / "wait_for_tracking.py", "--ros-args", "-p", "timeout:=0.5"]
    environment = {**os.environ, "ROS_DOMAIN_ID": str(own_domain())}
    assert subprocess.run(command, env=environment, check=False, timeout=60).returncode == 1


@pytest.mark.parametrize(
    ("statuses", "count"),
    [
        ([(1, "cup", TRACKING), (2, "cup", TRACKING)], 2),
        ([(1, "cup", TRACKING), (1, "cup", TRACKING)], 1),
        ([(1, "cup", TRACKING), (2, "cup", UNCERTAIN)], 0),
        ([(1, "plate", TRACKING)], 0),
    ],
    ids=["one after the other", "of the same frame", "an interruption", "another target"],
)
def test_frames_in_a_row_are_counted(statuses, count):
    leaf = SimpleNamespace(_description="cup", _stamp=None, _in_a_row=0)
    for stamp, description, state in statuses:
        status = TrackerStatus(header=header(stamp), descriptions=[description], state=state)
        load("examples/wait_for_tracking.py").WaitForTracking._on_status(leaf, status)
    assert leaf._in_a_row == count
