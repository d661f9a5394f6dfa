#!/usr/bin/env python3
"""Sends a robot with Nav2 to what the tracker sees, and stops it before that.

python3 examples/approach_with_nav2.py --ros-args -p distance:=0.8

Needs the tracker with depth (docs/positions.md). Nav2 takes goals on goal_pose in any frame that TF knows, and makes one of
its map's out of it: this one is in the camera's. The camera looks ahead, without tilting much.
"""

from __future__ import annotations

import math

import rclpy
from geometry_msgs.msg import PoseStamped, Quaternion
from rclpy.executors import ExternalShutdownException
from rclpy.node import Node
from rclpy.time import Time

NEAR_ENOUGH = 0.1
"""Closer to the wanted distance than this, the robot stays where it is, m."""


class Approach(Node):
    """Publishes a goal before the target, again whenever `period` seconds have passed: the target may move."""

    def __init__(self) -> None:
        super().__init__("approach")
        self._distance = self.declare_parameter("distance", 0.8).value  # that the camera keeps from the target, m
        self._period = self.declare_parameter("period", 1.0).value  # s
        self._last: Time | None = None
        self._goals = self.create_publisher(PoseStamped, "goal_pose", 1)
        self.create_subscription(PoseStamped, "fastsam2_tracker/target_pose", self._on_target, 1)

    def _on_target(self, target: PoseStamped) -> None:
        stamp = Time.from_msg(target.header.stamp)
        # A stamp before the last one: a recording that begins anew.
        if self._last is not None and 0 <= (stamp - self._last).nanoseconds * 1e-9 < self._period:
            return
        self._last = stamp
        goal = goal_before(target, self._distance)
        if goal is None:
            self.get_logger().info("The robot is there.", throttle_duration_sec=5.0)
        else:
            self._goals.publish(goal)


def goal_before(target: PoseStamped, distance: float) -> PoseStamped | None:
    """A pose on the way to the target that faces it.

    Args:
        target: in the frame of a camera: x to the right, y down, z forward, m.
        distance: from the target, along the ground, m.

    Returns:
        None where the robot is as near already.
    """
    place = target.pose.position
    away = math.hypot(place.x, place.z)
    if away < distance + NEAR_ENOUGH:
        return None
    goal = PoseStamped(header=target.header)
    goal.pose.position.x = place.x * (1 - distance / away)
    goal.pose.position.z = place.z * (1 - distance / away)
    goal.pose.orientation = heading(math.atan2(place.x, place.z))
    return goal


def heading(right: float) -> Quaternion:
    """A robot (x forward, z up) that drives where a camera (z forward, y down) looks, turned to the right by so much, rad."""
    c, s = math.cos(right / 2) / 2, math.sin(right / 2) / 2
    return Quaternion(x=c + s, y=s - c, z=c - s, w=c + s)


def main() -> None:
    """Run until Ctrl-C."""
    rclpy.init()
    try:
        rclpy.spin(Approach())
    except (KeyboardInterrupt, ExternalShutdownException):
        pass
    finally:
        rclpy.try_shutdown()


if __name__ == "__main__":
    main()
