"""Positions of the targets of one camera, from depth to the topics; only where `use_depth` is set."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from importlib import import_module
from typing import Any

from geometry_msgs.msg import PoseStamped
from rclpy.node import Node
from rclpy.publisher import Publisher
from sensor_msgs.msg import PointCloud2
from std_msgs.msg import Header

from fastsam2_ros.images import RgbImage
from fastsam2_ros.node import messages, position_messages, qos
from fastsam2_ros.node.depth import DepthInput, DepthView
from fastsam2_ros.node.node_log import NodeLog
from fastsam2_ros.node.node_state import NodeState
from fastsam2_ros.positions import Position, locate
from fastsam2_ros.results import TrackResult


class PositionOutputs:
    """Finds out where the targets of a frame are, and publishes it.

    What is missing is a problem of the subject `depth`; everything else goes on without it.

    Args:
        node: whose publishers and subscriptions they are.
        prefix: of the camera's topics: empty, or such as `front/`.
        log: of the camera.
    """

    def __init__(self, node: Node, prefix: str, log: NodeLog) -> None:
        self._node = node
        self._prefix = prefix
        self._log = log
        self._lock = threading.Lock()  # around what uses publishers that another thread may destroy
        self._input: DepthInput | None = None
        self._publishers: list[Publisher[Any]] = []
        self._vision = messages.vision_msgs()
        self._broadcaster: Any = None
        self._best = 0

    def start(self, state: NodeState) -> None:
        """Subscribe to depth, and publish what follows from it, where the settings of the node's state say so."""
        if not state.own.use_depth:
            return
        node = self._node
        self._pose = self._new(PoseStamped, "target_pose")
        self._points = self._new(PointCloud2, "points")
        if self._vision is not None:
            self._detections = self._new(self._vision.Detection3DArray, "detections_3d")
        if state.own.publish_tf:
            self._broadcaster = transform_broadcaster(node)
            if self._broadcaster is None:
                self._log.complain("tf", "publish_tf needs tf2_ros, which is not installed: install tf2_ros_py.")
        self._input = DepthInput(node, self._prefix, state)

    def stop(self) -> None:
        """Unsubscribe, and take the publishers back."""
        if self._input is not None:
            self._input.close()
        with self._lock:
            for publisher in self._publishers:
                self._node.destroy_publisher(publisher)
            self._publishers = []
        if self._broadcaster is not None:  # It has no method for that.
            self._node.destroy_publisher(self._broadcaster.pub_tf)
        self._input, self._broadcaster, self._best = None, None, 0
        self._log.clear("depth", "tf")

    def unserved(self) -> str:
        """See `qos.unserved`. Any thread may call."""
        with self._lock:
            return qos.unserved(self._node, self._publishers)

    def want(self, stamp_ns: int) -> None:
        """A frame of this stamp is taken up."""
        if self._input is not None:
            self._input.want(stamp_ns)

    def publish(self, header: Header, frame: RgbImage, result: TrackResult) -> Mapping[int, Position]:
        """Publish where the targets are.

        Args:
            header: of the frame.
            frame: uint8 (H, W, 3).
            result: of the frame.

        Returns:
            the positions by id, of those that have one.
        """
        if self._input is None:
            return {}
        try:
            positions = self._locate(self._input, header, frame, result)
        except Exception as error:
            if not self._node.context.ok():
                raise  # The graph is going down.
            self._log.fail("depth", error)  # The other outputs do without.
            return {}
        self._log.clear("depth")
        return positions

    def _locate(
        self, source: DepthInput, header: Header, frame: RgbImage, result: TrackResult
    ) -> Mapping[int, Position]:
        view = source.view(header, result.size)
        found = {each.id: locate(each.mask, view.depth, view.camera) for each in result.objects if each.box}
        positions = {number: position for number, position in found.items() if position is not None}
        self._publish(header, frame, result, positions, view)
        return positions

    def _new(self, kind: type[Any], name: str) -> Publisher[Any]:
        self._publishers.append(qos.new_publisher(self._node, kind, f"~/{self._prefix}{name}", qos.reliable()))
        return self._publishers[-1]

    def _publish(
        self,
        header: Header,
        frame: RgbImage,
        result: TrackResult,
        positions: Mapping[int, Position],
        view: DepthView,
    ) -> None:
        self._best = position_messages.best(result.objects, positions, self._best)
        if self._best:
            self._pose.publish(position_messages.target_pose(header, positions[self._best]))
        if self._points.get_subscription_count():
            self._points.publish(position_messages.point_cloud(header, frame, result.objects, positions, view))
        if self._vision is not None:
            self._detections.publish(position_messages.detections(header, result.objects, positions, self._vision))
        if self._broadcaster is not None and positions:
            name = f"{self._node.get_fully_qualified_name()}/{self._prefix}".rstrip("/")
            self._broadcaster.sendTransform(position_messages.transforms(header, name, positions))


def transform_broadcaster(node: Node) -> Any:
    """tf2_ros.TransformBroadcaster of a node; None where tf2_ros is not installed."""
    try:
        return import_module("tf2_ros").TransformBroadcaster(node)
    except ImportError:
        return None
