"""The node: topics, services, parameters and life cycle around a `TextTracker`."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from rcl_interfaces.msg import SetParametersResult
from rclpy.clock import Clock, ClockType
from rclpy.event_handler import SubscriptionEventCallbacks
from rclpy.lifecycle import LifecycleState, TransitionCallbackReturn
from rclpy.logging import get_logger
from rclpy.parameter import Parameter
from rclpy.qos import QoSProfile, ReliabilityPolicy
from rclpy.task import Future
from sensor_msgs.msg import CompressedImage, Image, RegionOfInterest
from std_msgs.msg import String
from std_srvs.srv import Trigger

from fastsam2_ros.action import Track
from fastsam2_ros.config import TrackerConfig
from fastsam2_ros.errors import InputError
from fastsam2_ros.images import ImageDecoder, RgbImage
from fastsam2_ros.message_fields import stamp_to_ns
from fastsam2_ros.node import frames, parameters
from fastsam2_ros.node.camera_watch import CameraWatch
from fastsam2_ros.node.commands import Commands
from fastsam2_ros.node.failures import give_memory_back, is_lasting
from fastsam2_ros.node.frames import ImageMessage
from fastsam2_ros.node.graph_watch import GraphWatch, seen_nodes, sim_time
from fastsam2_ros.node.positions import PositionOutputs
from fastsam2_ros.node.publishers import RELIABLE, Publishers
from fastsam2_ros.node.reports import Reports
from fastsam2_ros.node.track_action import TrackAction
from fastsam2_ros.node.transitions import BackgroundLifecycleNode
from fastsam2_ros.node.worker import Worker
from fastsam2_ros.printable import printable
from fastsam2_ros.results import TrackResult

if TYPE_CHECKING:
    from fastsam2_ros.tracker import TextTracker

NOT_LOADED, LASTING_FAULT = 1, 2
"""Exit codes: parameters or models that cannot be had; a fault that only a new process ends."""


class TrackerNode(BackgroundLifecycleNode):
    """Feeds images and commands to the worker, and publishes what it hands back.

    configure loads the models, activate subscribes to images, deactivate unsubscribes, cleanup gives the memory back. All
    of them run in the worker's thread, between two steps.

    Args:
        make_tracker: makes the tracker from the parameters.
        arguments: of `rclpy.node.Node`.

    Attributes:
        ended: gets an exit code once there is no use in going on.

    Raises:
        InputError: a parameter of the wrong type or out of its range.
    """

    def __init__(self, make_tracker: Callable[[TrackerConfig], TextTracker], **arguments: Any) -> None:
        self._worker: Worker[ImageMessage] = Worker(self)
        super().__init__("fastsam2_tracker", self._worker.call, **arguments)
        self.ended: Future[int] = Future()
        self._make_tracker = make_tracker
        self._settings_lock = threading.Lock()
        self._config, self._own = parameters.declare(self)
        self._decoder = ImageDecoder(self._config.max_megapixels)
        self._loaded = False  # the models are, or are being loaded: what they are made of cannot change
        self._tracker: TextTracker | None = None
        self._images: Any = None
        self._slowest = 0.0  # seconds in the slowest callback
        self._outputs = Publishers(self)
        self._reports = Reports(self, self._worker.counts, lambda: self._config)
        self._positions = PositionOutputs(self, self._reports)
        self._commands = Commands(self._worker, self._reports)
        self._action = TrackAction(self, self._commands)
        self._graph = GraphWatch(self.get_fully_qualified_name())
        self._watch_topic()
        self._reports.enter("unconfigured", "Waiting to be configured.")
        # A command that is given while the models are loaded waits in the worker.
        self.create_subscription(String, "target_description", self._on_description, RELIABLE)
        self.create_subscription(RegionOfInterest, "target_box", self._on_box, RELIABLE)
        self.create_service(Trigger, "~/reset", self._on_reset)
        self.add_on_set_parameters_callback(self._on_parameters)
        # A steady clock: simulated time may not run.
        self.create_timer(1.0, self._on_timer, clock=Clock(clock_type=ClockType.STEADY_TIME))

    def start(self) -> None:
        """Begin to work: with `autostart`, load the models and take images. From here on `close` has to be called."""
        if self._own.autostart:
            self._worker.call(self._start_by_itself)
        self._worker.start()

    def close(self) -> None:
        """End the worker, then the node."""
        self._worker.stop()
        counts = self._worker.counts()
        # Not the node's own logger: after a signal, /rosout is gone already.
        get_logger(f"{self.get_name()}.summary").info(
            f"Images received: {counts.received}, processed: {counts.processed}, dropped: {counts.dropped}, "
            f"of them unusable: {counts.unusable}."
        )
        self._action.close()
        self.destroy_node()

    # Transitions, in the worker's thread.

    def on_configure(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Load the models, and let them run once."""
        with self._settings_lock:
            self._loaded, config, own = True, self._config, self._own
        self._decoder = ImageDecoder(config.max_megapixels)
        self._watch_topic()
        model = printable(config.model.name)
        self._reports.enter("configuring", f"Loading {model}: images are passed over until it is done.")
        try:
            tracker = self._make_tracker(config)
            tracker.warm_up()
        except BaseException as error:  # SystemExit, which libraries raise, would end this thread and leave the node.
            self._forget_models()
            self._reports.fail("models", error)
            return TransitionCallbackReturn.FAILURE
        self._tracker = self._reports.tracker = tracker
        self._reports.clear("models")
        self._reports.enter("inactive", f"{model} is loaded; waiting to be activated.")
        if own.description:
            self._commands.look_for(own.description)
        return TransitionCallbackReturn.SUCCESS

    def on_activate(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Take images from now on."""
        kind = CompressedImage if self._compressed else Image
        newest = QoSProfile(depth=1, reliability=ReliabilityPolicy.get_from_short_key(self._own.image_reliability))
        events = SubscriptionEventCallbacks(incompatible_qos=self._on_incompatible)
        self._images = self.create_subscription(kind, self._image_topic, self._on_image, newest, event_callbacks=events)
        self._positions.start(self._own)
        self._worker.use(self._tracker)
        self._reports.clear("transition")
        self._reports.enter("active", self._waiting())
        self._reports.say("start", f"{printable(self._config.model.name)} is ready. {self._waiting()}")
        return TransitionCallbackReturn.SUCCESS

    def on_deactivate(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Take no more images; targets and models stay."""
        self._stop_images()
        self._reports.enter("inactive", "Inactive: no images are taken.")
        return TransitionCallbackReturn.SUCCESS

    def on_cleanup(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Give models and targets up, with the memory that they take."""
        self._forget_models()
        return TransitionCallbackReturn.SUCCESS

    def on_shutdown(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Give everything up; the process goes on until a signal ends it."""
        self._stop_images()
        self._forget_models()
        self._reports.enter("finalized", "Shut down: end the process, and start it anew.")
        return TransitionCallbackReturn.SUCCESS

    def on_exception(self, error: Exception) -> None:
        """See `BackgroundLifecycleNode`."""
        self._reports.fail("transition", error)

    def on_error(self, state: LifecycleState) -> TransitionCallbackReturn:
        """A transition failed: as before it was configured."""
        self._stop_images()
        self._forget_models()
        return TransitionCallbackReturn.SUCCESS

    def _start_by_itself(self) -> None:
        success = TransitionCallbackReturn.SUCCESS
        if self.trigger_configure() != success or self.trigger_activate() != success:
            self._end(NOT_LOADED, "There is nothing to track with; the node ends.")

    def _stop_images(self) -> None:
        self._worker.use(None)
        if self._images is not None:
            self.destroy_subscription(self._images)
            self._images = None
        self._positions.stop()
        self._action.end(Track.Result.STOPPED, "The node takes no more images.")
        self._watch_topic()
        self._reports.clear("camera", "image", "frame", "qos")

    def _forget_models(self) -> None:
        self._tracker = self._reports.tracker = self._reports.result = None
        self._reports.descriptions = ()
        self._commands.forget()
        self._action.end(Track.Result.STOPPED, "The node has given its models up.")
        give_memory_back()
        with self._settings_lock:
            self._loaded = False
        self._reports.enter("unconfigured", "Waiting to be configured.")

    # Callbacks of the executor. They only leave things for the worker.

    def _on_image(self, message: ImageMessage) -> None:
        with self._timed():
            self._worker.offer(message)

    def _on_incompatible(self, event: Any) -> None:
        self._reports.complain(
            "qos",
            f"A publisher of {self._image_topic} offers less than is asked for ({event.last_policy_kind}), so that its "
            "images do not come: set image_reliability to best_effort.",
        )

    def _on_description(self, message: String) -> None:
        with self._timed():
            self._action.other_text(message.data)
            self._commands.look_for(message.data)

    def _on_box(self, message: RegionOfInterest) -> None:
        with self._timed():
            self._commands.track_box(message)

    def _on_reset(self, request: Trigger.Request, response: Trigger.Response) -> Trigger.Response:
        self._commands.reset()
        self._action.end(Track.Result.RESET, "All targets were forgotten.")
        response.success = True
        response.message = "All targets are forgotten before the next frame."
        return response

    def _on_parameters(self, changes: list[Parameter[Any]]) -> SetParametersResult:
        values = {parameter.name: parameter.value for parameter in changes}
        with self._settings_lock:
            try:
                config, own = parameters.changed(self._config, self._own, values, loaded=self._loaded)
            except InputError as error:
                return SetParametersResult(successful=False, reason=printable(str(error), 600))
            if config != self._config and self._loaded:
                self._commands.reconfigure(config)
            self._config, self._own = config, own
        return SetParametersResult(successful=True)

    def _on_timer(self) -> None:
        with self._timed():
            self._action.check()
            now = time.monotonic()
            problems = dict(self._graph.update(seen_nodes(self), sim_time(self), now))
            if self._reports.phase == "active":
                kinds = [each.topic_type for each in self.get_publishers_info_by_topic(self._image_topic)]
                problems["camera"] = self._camera.update(kinds, self._worker.counts().received, now)
            for subject, problem in problems.items():
                if problem:
                    self._reports.complain(subject, problem)
                else:
                    self._reports.clear(subject)
            self._reports.publish_diagnostics(self._camera.silence(now), self._slowest)

    # In the worker's thread.

    def decode(self, source: ImageMessage) -> tuple[RgbImage, int]:
        """See `worker.Listener`."""
        stamp_ns = stamp_to_ns(source.header.stamp)
        self._positions.want(stamp_ns)
        return frames.decode(source, self._decoder), stamp_ns

    def wants_tokens(self) -> bool:
        """See `worker.Listener`."""
        return self._outputs.wants_tokens()

    def on_result(self, source: ImageMessage, frame: RgbImage, result: TrackResult, started: float) -> None:
        """See `worker.Listener`."""
        self._reports.result = result
        self._reports.descriptions = [target.description for target in result.objects]
        self._reports.clear("start", "image", "tracker", "output", "frame", "box")
        if result.warnings:
            self._reports.complain("frame", " ".join(result.warnings))
        positions = self._positions.publish(source.header, frame, result)
        self._outputs.publish(source.header, frame, result, positions)
        self._action.publish(source.header, result, positions)
        self._reports.publish_status(source.header, time.perf_counter() - started)

    def on_failure(self, subject: str, error: Exception) -> None:
        """See `worker.Listener`."""
        self._reports.fail(subject, error)
        if self._tracker is not None and is_lasting(error, str(self._tracker.device)):
            self._worker.use(None)
            self._end(LASTING_FAULT, "The GPU gives this error to every later call of this process, which ends.")

    # Pieces.

    def _end(self, code: int, text: str) -> None:
        self.get_logger().fatal(text)
        if not self.ended.done():
            self.ended.set_result(code)

    def _watch_topic(self) -> None:
        """Forget what was seen of the camera, and take its topic from the parameters."""
        self._compressed = self._own.image_transport == "compressed"
        self._image_topic = self.resolve_topic_name("image")
        if self._compressed:
            # As image_transport names it: after the remapped topic, unless it is remapped itself.
            plain = self.resolve_topic_name("image/compressed", only_expand=True)
            remapped = self.resolve_topic_name("image/compressed")
            self._image_topic = f"{self._image_topic}/compressed" if remapped == plain else remapped
        kind = "CompressedImage" if self._compressed else "Image"
        self._camera = CameraWatch(self._image_topic, f"sensor_msgs/msg/{kind}", time.monotonic())

    def _waiting(self) -> str:
        topic = self.resolve_topic_name("target_description")
        wanted = "" if self._own.description.strip() else f" and a description on {topic}"
        return f"Waiting for images on {self._image_topic}{wanted}."

    @contextmanager
    def _timed(self) -> Iterator[None]:
        started = time.perf_counter()
        yield
        self._slowest = max(self._slowest, time.perf_counter() - started)
