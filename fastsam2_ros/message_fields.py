"""Results as plain fields of messages, for rclpy's classes and for those of rosbags alike."""

from __future__ import annotations

from math import ceil, floor
from typing import Any

import numpy as np

from fastsam2_ros.positions import Position
from fastsam2_ros.results import Box, TrackedObject


def stamp_to_ns(stamp: Any) -> int:
    """Nanoseconds of a builtin_interfaces/Time."""
    return int(stamp.sec) * 1_000_000_000 + int(stamp.nanosec)


def tracked_object(item: TrackedObject, position: Position | None = None) -> dict[str, Any]:
    """Of fastsam2_ros/TrackedObject, but for `box`, which is `region_of_interest`'s, `position` and `extent`."""
    centroid_x, centroid_y = item.centroid or (0.0, 0.0)
    return {
        "id": item.id,
        "description": item.description,
        "state": int(item.state),
        "score": float(item.score),
        "has_box": item.box is not None,
        "centroid_x": float(centroid_x),
        "centroid_y": float(centroid_y),
        "area": int(item.area),
        "has_position": position is not None,
        "covariance": np.zeros(9) if position is None else position.covariance.ravel(),
    }


def region_of_interest(box: Box | None) -> dict[str, Any]:
    """Of sensor_msgs/RegionOfInterest: the whole pixels that a box touches, from 0 on; zero where there is no box."""
    x, y, width, height = box or (0.0, 0.0, 0.0, 0.0)
    left, top = max(floor(x), 0), max(floor(y), 0)
    return {
        "x_offset": left,
        "y_offset": top,
        "width": max(ceil(x + width) - left, 0),
        "height": max(ceil(y + height) - top, 0),
        "do_rectify": False,
    }
