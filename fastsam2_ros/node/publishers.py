"""The publishers of the results."""

from __future__ import annotations

from collections.abc import Mapping

from rclpy.node import Node
from rclpy.qos import DurabilityPolicy, QoSProfile, ReliabilityPolicy
from sensor_msgs.msg import CompressedImage, Image
from std_msgs.msg import Header

from fastsam2_ros import msg
from fastsam2_ros.images import RgbImage
from fastsam2_ros.node import messages
from fastsam2_ros.pictures.overlay import draw
from fastsam2_ros.pictures.tokens import History, draw_tokens
from fastsam2_ros.positions import Position
from fastsam2_ros.results import TrackResult

RELIABLE = QoSProfile(depth=10, reliability=ReliabilityPolicy.RELIABLE)
LATCHED = QoSProfile(depth=1, reliability=ReliabilityPolicy.RELIABLE, durability=DurabilityPolicy.TRANSIENT_LOCAL)


class Publishers:
    """Publishes what was found out about one frame, under that frame's own header.

    Images are only made while someone subscribes to them.
    """

    def __init__(self, node: Node) -> None:
        self._mask = node.create_publisher(Image, "~/mask", RELIABLE)
        self._compressed_mask = node.create_publisher(CompressedImage, "~/mask/compressed", RELIABLE)
        self._labels = node.create_publisher(Image, "~/labels", RELIABLE)
        self._overlay = node.create_publisher(Image, "~/overlay", RELIABLE)
        self._tokens = node.create_publisher(Image, "~/tokens", RELIABLE)
        self._history = History()
        self._tracks = node.create_publisher(msg.TrackedObjectArray, "~/tracks", RELIABLE)
        self._vision = messages.vision_msgs()
        if self._vision is not None:
            self._detections = node.create_publisher(self._vision.Detection2DArray, "~/detections", RELIABLE)

    def wants_tokens(self) -> bool:
        """Whether someone subscribes to the picture of tokens, which needs `TrackResult.tokens`."""
        return bool(self._tokens.get_subscription_count())

    def publish(self, header: Header, frame: RgbImage, result: TrackResult, positions: Mapping[int, Position]) -> None:
        """Publish everything about one frame; positions by id, of the targets that have one."""
        self._tracks.publish(messages.tracks(header, result, positions))
        if self._vision is not None:
            self._detections.publish(messages.detections(header, result, self._vision))
        if self._mask.get_subscription_count():
            self._mask.publish(messages.mask(header, result))
        if self._compressed_mask.get_subscription_count():
            self._compressed_mask.publish(messages.png(header, result.union_mask()))
        if self._labels.get_subscription_count():
            self._labels.publish(messages.labels(header, result))
        if self._overlay.get_subscription_count():
            self._overlay.publish(messages.image(header, draw(frame, result), "rgb8"))
        self._history.add(result)
        if result.tokens is not None:
            self._tokens.publish(messages.image(header, draw_tokens(frame, result, self._history), "rgb8"))
