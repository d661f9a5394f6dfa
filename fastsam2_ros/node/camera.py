"""One camera: its topics, and the tracker of what it sees."""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

from diagnostic_msgs.msg import DiagnosticStatus
from rclpy.node import Node
from rclpy.subscription import Subscription
from sensor_msgs.msg import Image, RegionOfInterest

from fastsam2_ros.action import Track
from fastsam2_ros.images import ImageDecoder, RgbImage
from fastsam2_ros.message_fields import stamp_to_ns
from fastsam2_ros.node import frames, qos, transport
from fastsam2_ros.node.addressing import text_of
from fastsam2_ros.node.camera_watch import CameraWatch
from fastsam2_ros.node.commands import Commands
from fastsam2_ros.node.failures import is_lasting
from fastsam2_ros.node.node_log import NodeLog
from fastsam2_ros.node.node_state import NodeState
from fastsam2_ros.node.positions import PositionOutputs
from fastsam2_ros.node.publishers import Publishers
from fastsam2_ros.node.reports import Reports
from fastsam2_ros.node.track_action import TrackAction
from fastsam2_ros.node.transport import ImageMessage
from fastsam2_ros.node.worker import Worker
from fastsam2_ros.results import TrackResult

if TYPE_CHECKING:
    from fastsam2_ros.language.detections import DetectionFinder
    from fastsam2_ros.tracker import TextTracker


class Camera:
    """Feeds images and commands to the worker, and publishes what it hands back. A `queues.Listener`.

    Args:
        node: whose publishers and subscriptions they are.
        name: of the camera, which comes before its topics' names; empty: the only one.
        worker: runs the tracker.
        state: of the node.
        log: of the node.
        on_lasting: is called, in the worker's thread, when every later step would fail too.
    """

    def __init__(
        self,
        node: Node,
        name: str,
        worker: Worker[ImageMessage],
        state: NodeState,
        log: NodeLog,
        on_lasting: Callable[[], None],
    ) -> None:
        self.name = name
        self._inputs = f"{name}/" if name else ""
        outputs = f"~/{self._inputs}"
        self._node = node
        self._state = state
        self._on_lasting = on_lasting
        self._log = log.of_camera(name)
        self._queue = worker.new_queue(self)
        self._tracker: TextTracker | None = None
        self._finder: DetectionFinder | None = None
        self._decoder = ImageDecoder(state.config.max_megapixels)
        self._images: Subscription[ImageMessage] | None = None
        self._profile = qos.newest(state.own.image_reliability)
        self._outputs = Publishers(node, outputs)
        self.reports = Reports(node, outputs, state, self._log, self._queue.counts)
        self.commands = Commands(self._queue, self._log, self.reports)
        self._positions = PositionOutputs(node, self._inputs, self._log)
        self._action = TrackAction(
            node, f"{outputs}track", self.commands, partial(text_of, name, cameras=state.own.cameras or ("",))
        )
        self.topic = ""
        self.watch_topic()
        # A command that is given while the models are loaded waits in the queue.
        qos.new_subscription(node, RegionOfInterest, f"{self._inputs}target_box", self._on_box, qos.reliable())
        qos.new_subscription(node, Image, f"{self._inputs}target_example", self._on_example, qos.reliable())

    # In the worker's thread: called by the node.

    def watch_topic(self) -> None:
        """Forget what was seen of the camera, and take its topic from the parameters."""
        self.topic = transport.topic(self._node, f"{self._inputs}image", self._transport)
        self._watch = CameraWatch(self.topic, transport.type_name(self._transport), time.monotonic())

    def take(self, tracker: TextTracker | None) -> None:
        """Have this tracker, which images go to from `start` on; None: give up the one before, and its targets.

        Raises:
            InputError: targets are to be found by a detector's boxes, whose message type is not installed.
        """
        self._tracker = self.reports.tracker = tracker
        if tracker is None:
            self.reports.result, self.reports.descriptions = None, ()
            self.commands.forget()
            self._action.end(Track.Result.STOPPED, "The node has given its models up.")
            return
        self._decoder = ImageDecoder(self._state.config.max_megapixels)
        if self._state.own.finder == "detections":
            from fastsam2_ros.node import detections  # imports torch

            self._finder = self._finder or detections.subscribe(self._node, f"{self._inputs}{detections.TOPIC}")
            tracker.find_with(self._finder)

    def start(self) -> None:
        """Take images from now on."""
        self._profile = qos.newest(self._state.own.image_reliability)
        kind = transport.message_type(self._transport)
        self._images = qos.new_subscription(self._node, kind, self.topic, self._on_image, self._profile)
        self._positions.start(self._state)
        self._queue.use(self._tracker)

    def stop(self) -> None:
        """Take no more images; the tracker and its targets stay."""
        self.drop_frames()
        if self._images is not None:
            self._node.destroy_subscription(self._images)
            self._images = None
        self._positions.stop()
        self._action.end(Track.Result.STOPPED, "The node takes no more images.")
        self.watch_topic()
        self._log.clear("camera", "image", "frame", "qos", "tracker", "output", "box")  # of what no longer happens

    def drop_frames(self) -> None:
        """Do nothing with what comes."""
        self._queue.use(None)

    def decode(self, source: ImageMessage) -> tuple[RgbImage, int]:
        """See `queues.Listener`."""
        stamp_ns = stamp_to_ns(source.header.stamp)
        self._positions.want(stamp_ns)
        return frames.decode(source, self._decoder), stamp_ns

    def wants_tokens(self) -> bool:
        """See `queues.Listener`."""
        return self._outputs.wants_tokens()

    def on_result(self, source: ImageMessage, frame: RgbImage, result: TrackResult, started: float) -> None:
        """See `queues.Listener`."""
        self.reports.result = result
        self.reports.descriptions = [target.description for target in result.objects]
        self._log.clear("start", "image", "tracker", "output", "frame", "box")
        if result.warnings:
            self._log.complain("frame", " ".join(result.warnings))
        positions = self._positions.publish(source.header, frame, result)
        self._outputs.publish(source.header, frame, result, positions)
        self._action.publish(source.header, result, positions)
        self.reports.publish_status(source.header, time.perf_counter() - started)

    def on_failure(self, subject: str, error: Exception) -> None:
        """See `queues.Listener`."""
        self.reports.fail(subject, error)
        if self._tracker is not None and is_lasting(error, str(self._tracker.device)):
            self._on_lasting()

    # In any thread.

    def look_for(self, text: str) -> None:
        """Track what the text describes; a goal of the action that asks for something else ends, where the text is taken."""
        self.commands.look_for(text, self._action.goal)

    def reset(self) -> None:
        """Forget all targets, and what still waits."""
        self.commands.reset()
        self._action.end(Track.Result.RESET, "All targets were forgotten.")

    def close(self) -> None:
        """Take its action back; before the node is destroyed."""
        self._action.close()

    def summary(self) -> str:
        """What became of its images, for the last line of the log."""
        counts = self._queue.counts()
        return (
            f"{self.name or 'Images'} received: {counts.received}, processed: {counts.processed}, "
            f"dropped: {counts.dropped}, of them unusable: {counts.unusable}."
        )

    def check(self, now: float) -> None:
        """Look for what is wrong around the camera. now: monotonic time, seconds."""
        self._action.check()
        unserved = qos.unserved(self._node, [*self._outputs.all, self.reports.statuses]) or self._positions.unserved()
        problems = {"subscribers": unserved}
        if self._state.phase == "active":
            kinds = [each.topic_type for each in self._node.get_publishers_info_by_topic(self.topic)]
            problems["camera"] = self._watch.update(kinds, self._queue.counts().received, now)
            problems["qos"] = qos.unheard(self._node, self.topic, self._profile)
        self._log.update(problems)

    def diagnostics(self) -> DiagnosticStatus:
        """The camera's entry in /diagnostics."""
        silence = self._watch.silence(time.monotonic())
        name = f"{self._node.get_fully_qualified_name()}: {self.name or 'tracker'}"
        return self.reports.diagnostics(name, silence)

    def _on_image(self, message: ImageMessage) -> None:
        with self._state.timed():
            self._queue.offer(message)

    def _on_box(self, message: RegionOfInterest) -> None:
        with self._state.timed():
            self.commands.track_box(message)

    def _on_example(self, message: Image) -> None:
        with self._state.timed():
            self.commands.look_like(message, lambda picture: frames.decode(picture, self._decoder))

    # Pieces.

    @property
    def _transport(self) -> str:
        return self._state.own.image_transport
