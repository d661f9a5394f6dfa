#!/usr/bin/env python3
"""Tells a MoveIt program where to put the gripper before it picks the target up.

python3 examples/pick_target.py --ros-args -p gripper_width:=0.08

Needs the tracker with depth (docs/positions.md). Once the target lies still, pick_pose has the gripper before it: z points
to the target, y across its narrower side. Give it to MoveIt as a pose target. Where moveit_msgs is installed, the target
is put into the planning scene as a box, too.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterable

import rclpy
from geometry_msgs.msg import Point, Pose, PoseStamped, Quaternion
from rclpy.executors import ExternalShutdownException
from rclpy.node import Node

from fastsam2_ros.msg import TrackedObject, TrackedObjectArray

try:
    from moveit_msgs.msg import CollisionObject
    from shape_msgs.msg import SolidPrimitive
except ImportError:
    CollisionObject = None


class PickTarget(Node):
    """Publishes a pose whenever a target has lain still for some frames."""

    def __init__(self) -> None:
        super().__init__("pick_target")
        self._before = self.declare_parameter("before", 0.1).value  # gripper to target's middle, m
        self._width = self.declare_parameter("gripper_width", 0.08).value  # m
        self._still = self.declare_parameter("still", 0.01).value  # greatest movement of what lies still, m
        self._last: deque[TrackedObject] = deque(maxlen=self.declare_parameter("frames", 10).value)
        self._poses = self.create_publisher(PoseStamped, "pick_pose", 1)
        if CollisionObject is not None:
            self._boxes = self.create_publisher(CollisionObject, "collision_object", 1)
        self.create_subscription(TrackedObjectArray, "fastsam2_tracker/tracks", self._on_tracks, 10)

    def _on_tracks(self, tracks: TrackedObjectArray) -> None:
        seen = [each for each in tracks.objects if each.state == TrackedObject.TRACKING and each.has_position]
        target = max(seen, key=lambda each: each.score, default=None)
        if target is None or (self._last and self._last[-1].id != target.id):
            self._last.clear()
        if target is None:
            return
        self._last.append(target)
        if len(self._last) < (self._last.maxlen or 0) or movement(each.position for each in self._last) > self._still:
            return
        self._last.clear()
        if min(target.extent.x, target.extent.y) > self._width:
            self.get_logger().warning(f"'{target.description}' is wider than the gripper opens.")
            return
        self._poses.publish(PoseStamped(header=tracks.header, pose=grasp(target, self._before)))
        if CollisionObject is not None:
            size = [target.extent.x, target.extent.y, max(target.extent.z, 0.01)]
            box = CollisionObject(header=tracks.header, id=f"target_{target.id}")
            box.primitives = [SolidPrimitive(type=SolidPrimitive.BOX, dimensions=size)]
            box.primitive_poses = [Pose(position=target.position)]
            self._boxes.publish(box)


def movement(places: Iterable[Point]) -> float:
    """Greatest distance of places from the last one, m."""
    points = [(each.x, each.y, each.z) for each in places]
    return max(math.dist(point, points[-1]) for point in points)


def grasp(target: TrackedObject, before: float) -> Pose:
    """The gripper so far before the target, m: z points to it, y across its narrower side."""
    x, y, z = target.position.x, target.position.y, target.position.z
    away = math.hypot(x, y, z)
    share = max(0.0, 1 - before / away)
    # The shortest turn of z onto the ray; then a quarter about it where the narrower side is the horizontal one.
    w = math.sqrt((1 + z / away) / 2)
    u, v = -y / away / (2 * w), x / away / (2 * w)
    c, s = (math.sqrt(0.5), math.sqrt(0.5)) if target.extent.x < target.extent.y else (1.0, 0.0)
    turn = Quaternion(x=u * c + v * s, y=v * c - u * s, z=w * s, w=w * c)
    return Pose(position=Point(x=x * share, y=y * share, z=z * share), orientation=turn)


def main() -> None:
    """Run until Ctrl-C."""
    rclpy.init()
    try:
        rclpy.spin(PickTarget())
    except (KeyboardInterrupt, ExternalShutdownException):
        pass
    finally:
        rclpy.try_shutdown()


if __name__ == "__main__":
    main()
