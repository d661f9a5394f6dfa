#!/usr/bin/env python3
"""Says what to look for, and waits until it is tracked: a leaf of a behaviour tree, with topics only.

python3 examples/wait_for_tracking.py --ros-args -p description:='red mug' -p timeout:=20.0

The exit code is 0 where it is tracked, and 1 where it was not in time. (The action ~/track does the same; a tree that knows
actions takes that.)
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from enum import Enum

import rclpy
from rclpy.executors import ExternalShutdownException
from rclpy.node import Node
from std_msgs.msg import String

from fastsam2_ros.msg import TrackedObject, TrackedObjectArray


class Answer(Enum):
    """What a leaf of a behaviour tree answers to a tick."""

    RUNNING = "running"
    SUCCESS = "success"
    FAILURE = "failure"


class WaitForTracking(Node):
    """SUCCESS once what is described, or one of several, was TRACKING in `frames` frames in a row; FAILURE after `timeout`."""

    def __init__(self) -> None:
        super().__init__("wait_for_tracking")
        self._description = self.declare_parameter("description", "").value
        self._timeout = self.declare_parameter("timeout", 30.0).value  # s
        self._wanted = self.declare_parameter("frames", 3).value
        self._in_a_row = 0
        self._started = self.get_clock().now()
        self._texts = self.create_publisher(String, "target_description", 1)
        self.create_subscription(TrackedObjectArray, "fastsam2_tracker/tracks", self._on_tracks, 1)

    def tick(self) -> Answer:
        """How it goes. Says the text again with every tick, which disturbs nothing: the tracker may have come up only now."""
        self._texts.publish(String(data=self._description))
        if self._in_a_row >= self._wanted:
            return Answer.SUCCESS
        waited = (self.get_clock().now() - self._started).nanoseconds * 1e-9
        return Answer.FAILURE if waited > self._timeout else Answer.RUNNING

    def _on_tracks(self, tracks: TrackedObjectArray) -> None:
        self._in_a_row = in_a_row(self._in_a_row, self._description, tracks.objects)


def in_a_row(before: int, description: str, objects: Sequence[TrackedObject]) -> int:
    """Frames in a row in which one of what is described is tracked, up to that of these objects."""
    wanted = {plain(part) for part in description.split(";")} - {""}
    tracked = {plain(each.description) for each in objects if each.state == TrackedObject.TRACKING}
    return before + 1 if wanted & tracked else 0


def plain(description: str) -> str:
    """Without what makes no difference to the tracker: capital letters, and more than one space."""
    return " ".join(description.casefold().split())


def main() -> int:
    """Tick ten times a second until there is an answer."""
    rclpy.init()
    answer = Answer.RUNNING
    try:
        leaf = WaitForTracking()
        while answer is Answer.RUNNING:
            rclpy.spin_once(leaf, timeout_sec=0.1)
            answer = leaf.tick()
        leaf.get_logger().info(f"The answer is {answer.value}.")
    except (KeyboardInterrupt, ExternalShutdownException):
        pass
    finally:
        rclpy.try_shutdown()
    return 0 if answer is Answer.SUCCESS else 1


if __name__ == "__main__":
    sys.exit(main())
