"""The node: topics and parameters around a `TextTracker`."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from diagnostic_msgs.msg import DiagnosticArray
from rclpy.logging import get_logger
from rclpy.node import Node
from rclpy.qos import QoSProfile, ReliabilityPolicy
from sensor_msgs.msg import CompressedImage, Image, RegionOfInterest
from std_msgs.msg import Header, String

from fastsam2_ros import msg
from fastsam2_ros.config import TrackerConfig
from fastsam2_ros.errors import FastSam2Error
from fastsam2_ros.images import ImageDecoder, RgbImage
from fastsam2_ros.node import frames, messages, parameters
from fastsam2_ros.node.camera_watch import CameraWatch
from fastsam2_ros.node.frames import ImageMessage
from fastsam2_ros.node.journal import Journal
from fastsam2_ros.node.outputs import LATCHED, RELIABLE, Outputs
from fastsam2_ros.node.worker import Worker
from fastsam2_ros.results import TrackResult

if TYPE_CHECKING:
    from fastsam2_ros.tracker import TextTracker

NEWEST = QoSProfile(depth=1, reliability=ReliabilityPolicy.BEST_EFFORT)


class TrackerNode(Node):
    """Feeds images and commands to the worker, and publishes what it hands back.

    Args:
        make_tracker: makes the tracker from the parameters.
        arguments: of `rclpy.node.Node`.

    Raises:
        InputError: a parameter of the wrong type or out of its range.
        ModelError: the models cannot be loaded.
    """

    def __init__(self, make_tracker: Callable[[TrackerConfig], TextTracker], **arguments: Any) -> None:
        super().__init__("fastsam2_tracker", **arguments)
        self._config, own = parameters.declare(self)
        self._decoder = ImageDecoder(self._config.max_megapixels)
        self._journal = Journal()
        self._slowest = 0.0  # seconds in the slowest callback
        self._result: TrackResult | None = None
        self._descriptions: Sequence[str] = ()
        # Before the models are loaded, so that a command given meanwhile waits in the queue.
        self.create_subscription(String, "target_description", self._on_description, RELIABLE)
        self.create_subscription(RegionOfInterest, "target_box", self._on_box, RELIABLE)
        self._outputs = Outputs(self)
        self._status_publisher = self.create_publisher(msg.TrackerStatus, "~/status", LATCHED)
        self._diagnostics_publisher = self.create_publisher(DiagnosticArray, "/diagnostics", RELIABLE)

        self._tracker = make_tracker(self._config)
        self._worker: Worker[ImageMessage] = Worker(self._tracker, self)
        compressed = own.image_transport == "compressed"
        self._image_topic = self.resolve_topic_name("image/compressed" if compressed else "image")
        self._camera = CameraWatch(self._image_topic)
        self._journal.report("start", self._waiting(own.description))
        self._status = self._publish_status(Header())
        self.create_subscription(CompressedImage if compressed else Image, self._image_topic, self._on_image, NEWEST)
        self.create_timer(1.0, self._on_timer)
        if own.description:
            self._look_for(own.description)

    def start(self) -> None:
        """Begin to work. From here on `close` has to be called."""
        self._worker.start()
        self.get_logger().info(f"{self._config.model.name} is ready. {self._journal.newest}")

    def close(self) -> None:
        """End the worker, then the node."""
        self._worker.stop()
        counts = self._worker.counts()
        # Not the node's own logger: after a signal, /rosout is gone already.
        get_logger(f"{self.get_name()}.summary").info(
            f"Images received: {counts.received}, processed: {counts.processed}, dropped: {counts.dropped}, "
            f"of them unusable: {counts.unusable}."
        )
        self.destroy_node()

    # Callbacks of the executor. They only leave things for the worker.

    def _on_image(self, message: ImageMessage) -> None:
        with self._timed():
            self._worker.offer(message)

    def _on_description(self, message: String) -> None:
        with self._timed():
            self._look_for(message.data)

    def _on_box(self, message: RegionOfInterest) -> None:
        with self._timed():
            self._worker.submit(lambda tracker: self._accept_box(tracker, message))

    def _on_timer(self) -> None:
        with self._timed():
            publishers = self.count_publishers(self._image_topic)
            problem = self._camera.update(publishers, self._worker.counts().received, time.monotonic())
            if problem:
                self._complain("camera", problem, repeat=30.0)
            else:
                self._journal.clear("camera")
            header = Header(stamp=self.get_clock().now().to_msg())
            name = self.get_fully_qualified_name()
            self._diagnostics_publisher.publish(
                messages.diagnostics(header, name, self._status, self._journal.newest, self._slowest)
            )

    # In the worker's thread.

    def decode(self, source: ImageMessage) -> tuple[RgbImage, int]:
        """See `worker.Listener`."""
        return frames.decode(source, self._decoder), messages.stamp_ns(source.header)

    def wants_tokens(self) -> bool:
        """See `worker.Listener`."""
        return self._outputs.wants_tokens()

    def on_result(self, source: ImageMessage, frame: RgbImage, result: TrackResult, started: float) -> None:
        """See `worker.Listener`."""
        self._result = result
        self._descriptions = [target.description for target in result.objects]
        self._journal.clear("start", "image", "tracker", "frame")
        if result.warnings:
            self._complain("frame", " ".join(result.warnings), repeat=30.0)
        self._outputs.publish(source.header, frame, result)
        self._status = self._publish_status(source.header, time.perf_counter() - started)

    def on_error(self, subject: str, error: Exception) -> None:
        """See `worker.Listener`."""
        expected = isinstance(error, FastSam2Error)
        self._complain(subject, str(error) if expected else f"{type(error).__name__}: {error}")
        self._status = self._publish_status(self._status.header)

    def _accept_text(self, tracker: TextTracker, text: str) -> None:
        self._descriptions = tracker.set_target(text)
        self._accepted(
            "Looking for: " + "; ".join(self._descriptions) if self._descriptions else "Nothing to look for."
        )

    def _accept_box(self, tracker: TextTracker, message: RegionOfInterest) -> None:
        tracker.set_box(messages.box(message))
        self._accepted(
            f"Tracking what is in the box at ({message.x_offset}, {message.y_offset}), "
            f"{message.width} x {message.height} pixels."
        )

    def _accepted(self, text: str) -> None:
        self._journal.clear("target")
        self.get_logger().info(text)
        self._status = self._publish_status(self._status.header)

    # In either thread.

    def _look_for(self, text: str) -> None:
        self._worker.submit(lambda tracker: self._accept_text(tracker, text))

    def _complain(self, subject: str, text: str, *, repeat: float = math.inf) -> None:
        if self._journal.report(subject, text, repeat=repeat):
            # Two calls: rclpy ties a place in the code to one severity.
            if subject in ("tracker", "output", "image", "target"):
                self.get_logger().error(text)
            else:
                self.get_logger().warning(text)

    def _publish_status(self, header: Header, processing_time: float = 0.0) -> msg.TrackerStatus:
        age = self.get_clock().now().nanoseconds - messages.stamp_ns(header)
        status = messages.status(
            header,
            self._result,
            self._descriptions,
            self._worker.counts(),
            self._config.model.name,
            str(self._tracker.device),
            untrained=self._tracker.untrained,
            processing_time=processing_time,
            latency=age * 1e-9 if processing_time else 0.0,
            message=self._journal.newest,
        )
        self._status_publisher.publish(status)
        return status

    def _waiting(self, description: str) -> str:
        topic = self.resolve_topic_name("target_description")
        wanted = "" if description.strip() else f" and a description on {topic}"
        return f"Waiting for images on {self._image_topic}{wanted}."

    @contextmanager
    def _timed(self) -> Iterator[None]:
        started = time.perf_counter()
        yield
        self._slowest = max(self._slowest, time.perf_counter() - started)
