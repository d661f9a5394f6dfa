#!/usr/bin/env python3
"""Turns a robot, or a camera's mount, so that the target stays in the middle of the image.

python3 examples/keep_in_view.py --ros-args -r camera_info:=/camera/color/camera_info -r cmd_vel:=/robot/cmd_vel

Needs no depth, but the camera_info of the very images that are tracked. It stops where the target is not seen, where the
camera is not calibrated, and where the tracker is silent.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import rclpy
from geometry_msgs.msg import Twist
from rclpy.executors import ExternalShutdownException
from rclpy.node import Node
from sensor_msgs.msg import CameraInfo

from fastsam2_ros.msg import TrackedObject, TrackedObjectArray

SILENCE = 0.5
"""Seconds without tracks after which the robot stops."""


class KeepInView(Node):
    """Publishes a speed of turning with every frame."""

    def __init__(self) -> None:
        super().__init__("keep_in_view")
        self._gain = self.declare_parameter("gain", 1.5).value  # rad/s for each rad off the middle
        self._fastest = self.declare_parameter("fastest", 0.8).value  # rad/s
        self._info: CameraInfo | None = None
        self._heard = self.get_clock().now()
        self._speeds = self.create_publisher(Twist, "cmd_vel", 1)
        self.create_subscription(CameraInfo, "camera_info", self._on_info, 1)
        self.create_subscription(TrackedObjectArray, "fastsam2_tracker/tracks", self._on_tracks, 1)
        self.create_timer(0.1, self._on_timer)

    def _on_info(self, info: CameraInfo) -> None:
        self._info = info

    def _on_tracks(self, tracks: TrackedObjectArray) -> None:
        self._heard = self.get_clock().now()
        left = angle_to_the_best(tracks.objects, self._info)
        self._turn(max(-self._fastest, min(self._fastest, self._gain * left)))

    def _on_timer(self) -> None:
        if (self.get_clock().now() - self._heard).nanoseconds * 1e-9 > SILENCE:
            self._turn(0.0)

    def _turn(self, speed: float) -> None:
        twist = Twist()
        twist.angular.z = speed
        self._speeds.publish(twist)


def angle_to_the_best(objects: Sequence[TrackedObject], info: CameraInfo | None) -> float:
    """Between the camera's axis and the best target, rad to the left; 0 without a target or a calibration."""
    target = best(objects)
    if target is None or info is None or not info.k[0] > 0:  # Zeros: it was not calibrated.
        return 0.0
    return angle_to_the_left(target.centroid_x, *lens(info))


def best(objects: Sequence[TrackedObject]) -> TrackedObject | None:
    """The target of the highest score among those whose mask can be trusted."""
    seen = [each for each in objects if each.state == TrackedObject.TRACKING and each.has_box]
    return max(seen, key=lambda each: each.score, default=None)


def lens(info: CameraInfo) -> tuple[float, float]:
    """Focal length and principal point, pixels of the image as it is sent: cut out first, then binned."""
    binning = max(info.binning_x, 1)
    return info.k[0] / binning, (info.k[2] - info.roi.x_offset + 0.5) / binning - 0.5


def angle_to_the_left(column: float, fx: float, cx: float) -> float:
    """Between the camera's axis and a column of its image, rad; focal length and principal point in pixels."""
    return math.atan2(cx - column, fx)


def main() -> None:
    """Run until Ctrl-C."""
    rclpy.init()
    try:
        rclpy.spin(KeepInView())
    except (KeyboardInterrupt, ExternalShutdownException):
        pass
    finally:
        rclpy.try_shutdown()


if __name__ == "__main__":
    main()
