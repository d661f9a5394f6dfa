"""A detector's boxes on a topic as what finds targets."""

from __future__ import annotations

from typing import Any

from rclpy.node import Node

from fastsam2_ros.errors import InputError
from fastsam2_ros.language.detections import Detection, DetectionFinder
from fastsam2_ros.node import messages, qos

TOPIC = "target_detections"


def detections(message: Any) -> list[Detection]:
    """What a vision_msgs/Detection2DArray says: of each box its best hypothesis; a box without one is left out."""
    found = []
    for each in message.detections:
        best = max((each.hypothesis for each in each.results), key=lambda hypothesis: hypothesis.score, default=None)
        if best is not None:
            middle, width, height = each.bbox.center.position, each.bbox.size_x, each.bbox.size_y
            box = (middle.x - width / 2, middle.y - height / 2, width, height)
            found.append(Detection(str(best.class_id), box, float(best.score)))
    return found


def subscribe(node: Node, topic: str) -> DetectionFinder:
    """A finder that goes by the detections on a topic.

    Raises:
        InputError: vision_msgs is not installed.
    """
    vision = messages.vision_msgs()
    if vision is None:
        raise InputError(
            f"finder is 'detections', but vision_msgs, the type of {topic}, is not installed: "
            "apt install ros-$ROS_DISTRO-vision-msgs, or set finder to 'clip'."
        )
    finder = DetectionFinder()
    qos.new_subscription(
        node, vision.Detection2DArray, topic, lambda message: finder.post(detections(message)), qos.reliable()
    )
    return finder
