"""The depth image and the camera of a frame, from the topics `depth` and `camera_info` beside the images."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from rclpy.node import Node
from rclpy.subscription import Subscription
from sensor_msgs.msg import CameraInfo, CompressedImage
from std_msgs.msg import Header

from fastsam2_ros.depth import Camera, DepthImage, same_view
from fastsam2_ros.errors import InputError
from fastsam2_ros.message_fields import stamp_to_ns
from fastsam2_ros.node import qos, transport
from fastsam2_ros.node.depth_buffer import DepthBuffer
from fastsam2_ros.node.node_state import NodeState
from fastsam2_ros.node.transport import ImageMessage

_WAITING = 5
"""Depth images that may wait for the executor."""


@dataclass(frozen=True)
class DepthView:
    """What was measured of a frame, and the camera that both were taken with."""

    depth: DepthImage
    camera: Camera


class DepthInput:
    """Subscribes to depth, and gives what belongs to a frame.

    Args:
        node: for its subscriptions.
        prefix: of the topics: empty, or such as `front/`.
        state: of the node; its settings of depth are those of this moment, `max_megapixels` that of each image.
    """

    def __init__(self, node: Node, prefix: str, state: NodeState) -> None:
        self._node = node
        self._state = state
        self._tolerance = state.own.depth_tolerance
        self._transport = state.own.depth_image_transport
        self._topic = transport.topic(node, f"{prefix}depth", self._transport)
        self._info_topic = node.resolve_topic_name(f"{prefix}camera_info")
        self._buffer: DepthBuffer[ImageMessage] = DepthBuffer()
        self._info: CameraInfo | None = None
        self._profile = qos.newest(state.own.image_reliability, _WAITING)
        info = qos.newest("best_effort")
        kind = transport.message_type(self._transport)
        self._subscriptions: list[Subscription[Any]] = [
            qos.new_subscription(node, kind, self._topic, self._on_depth, self._profile),
            qos.new_subscription(node, CameraInfo, f"{prefix}camera_info", self._on_info, info),
        ]

    def close(self) -> None:
        """Unsubscribe."""
        for subscription in self._subscriptions:
            self._node.destroy_subscription(subscription)
        self._buffer.clear()

    def want(self, stamp_ns: int) -> None:
        """A frame of this stamp is taken up."""
        self._buffer.want(stamp_ns)

    def view(self, header: Header, size: tuple[int, int]) -> DepthView:
        """What belongs to the frame that is wanted.

        Args:
            header: of the frame.
            size: its (H, W).

        Raises:
            InputError: there is none; says why, and what to do.
        """
        message = self._match()
        if self._info is None:
            raise InputError(
                f"No camera_info has come on {self._info_topic}, so that targets have no positions: remap camera_info to "
                "the topic beside the camera's images."
            )
        frames = {header.frame_id, message.header.frame_id} - {""}
        if len(frames) > 1:
            raise InputError(
                f"The image is in the frame '{header.frame_id}', and depth in '{message.header.frame_id}', so that targets "
                "have no positions: take depth that is aligned to the image (register it with depth_image_proc)."
            )
        depth = _depth(message, self._state.config.max_megapixels)
        camera = _camera(self._info)
        for name, other in (("image", size), ("camera_info", (camera.height, camera.width))):
            if not same_view(depth.size, other):
                raise InputError(
                    f"Depth is {depth.size[1]} x {depth.size[0]} pixels, and the {name} is {other[1]} x {other[0]}: that is "
                    "not one view, and targets have no positions. Take depth that is aligned to the image."
                )
        return DepthView(depth, camera)

    def _match(self) -> ImageMessage:
        nearest = self._buffer.nearest()
        if nearest is None:
            raise InputError(
                f"No depth image has come on {self._topic}, so that targets have no positions. {self._why()}"
            )
        difference, message = nearest
        seconds = difference * 1e-9
        if abs(seconds) > self._tolerance:
            raise InputError(
                f"The nearest depth image on {self._topic} is {abs(seconds):.3f} s {'older' if seconds < 0 else 'newer'} than "
                f"the image, and depth_tolerance is {self._tolerance:g} s, so that targets have no positions: have the "
                "camera stamp both alike, or raise depth_tolerance."
            )
        return message

    def _why(self) -> str:
        if reason := qos.unheard(self._node, self._topic, self._profile):
            return reason
        kinds = {each.topic_type for each in self._node.get_publishers_info_by_topic(self._topic)}
        if kinds and (expected := transport.type_name(self._transport)) not in kinds:
            return (
                f"It is published as {', '.join(sorted(kinds))}, but {expected} is expected: set depth_image_transport to raw "
                "or compressedDepth, as it suits the camera, or remap depth to another topic."
            )
        if kinds:
            return "Its images may be too large for the publisher's shared memory (docs/commanding.md, Large images)."
        return "Nobody publishes it: remap depth, or have the camera's driver send it."

    def _on_depth(self, message: ImageMessage) -> None:
        self._buffer.add(stamp_to_ns(message.header.stamp), message)

    def _on_info(self, message: CameraInfo) -> None:
        self._info = message


def _depth(message: ImageMessage, max_megapixels: float) -> DepthImage:
    if isinstance(message, CompressedImage):
        return DepthImage.of_file(message.format, message.data, max_megapixels)
    return DepthImage.of_fields(
        message.encoding,
        message.height,
        message.width,
        message.step,
        message.data,
        is_bigendian=message.is_bigendian,
    )


def _camera(info: CameraInfo) -> Camera:
    region = info.roi
    return Camera.of_fields(
        info.width,
        info.height,
        info.k,
        info.p,
        binning=(info.binning_x, info.binning_y),
        region=(region.x_offset, region.y_offset, region.width, region.height),
    )
