"""What is published about every frame."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rclpy.node import Node
from rclpy.publisher import Publisher
from sensor_msgs.msg import CompressedImage, Image
from std_msgs.msg import Header

from fastsam2_ros import msg
from fastsam2_ros.images import RgbImage
from fastsam2_ros.node import messages, qos
from fastsam2_ros.pictures.overlay import draw
from fastsam2_ros.pictures.tokens import History, draw_tokens
from fastsam2_ros.positions import Position
from fastsam2_ros.results import TrackResult


class Publishers:
    """Publishes what was found out about one frame, under that frame's own header.

    Images are only made while someone subscribes to them.

    Args:
        node: whose publishers they are.
        prefix: of the topics, such as `~/` or `~/front/`.
    """

    def __init__(self, node: Node, prefix: str) -> None:
        def new(kind: type[Any], name: str) -> Publisher[Any]:
            self.all.append(qos.new_publisher(node, kind, prefix + name, qos.reliable()))
            return self.all[-1]

        self.all: list[Publisher[Any]] = []
        self._mask = new(Image, "mask")
        self._compressed_mask = new(CompressedImage, "mask/compressed")
        self._labels = new(Image, "labels")
        self._overlay = new(Image, "overlay")
        self._tokens = new(Image, "tokens")
        self._history = History()
        self._tracks = new(msg.TrackedObjectArray, "tracks")
        self._vision = messages.vision_msgs()
        if self._vision is not None:
            self._detections = new(self._vision.Detection2DArray, "detections")

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
