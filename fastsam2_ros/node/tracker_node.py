"""The node: topics, services, parameters and life cycle around the trackers of its cameras."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from rcl_interfaces.msg import SetParametersResult
from rclpy.clock import Clock, ClockType
from rclpy.lifecycle import LifecycleState, TransitionCallbackReturn
from rclpy.logging import get_logger
from rclpy.parameter import Parameter
from rclpy.qos import qos_profile_parameters
from rclpy.task import Future
from std_msgs.msg import String
from std_srvs.srv import Trigger

from fastsam2_ros.config import TrackerConfig
from fastsam2_ros.errors import InputError
from fastsam2_ros.node import parameters, qos
from fastsam2_ros.node.addressing import texts_by_camera
from fastsam2_ros.node.bond import form_bond
from fastsam2_ros.node.camera import Camera
from fastsam2_ros.node.diagnostics import publish_diagnostics
from fastsam2_ros.node.failures import give_memory_back
from fastsam2_ros.node.graph_watch import GraphWatch, seen_nodes, sim_time
from fastsam2_ros.node.node_log import NodeLog
from fastsam2_ros.node.node_state import NodeState
from fastsam2_ros.node.transitions import BackgroundLifecycleNode
from fastsam2_ros.node.transport import ImageMessage
from fastsam2_ros.node.worker import Worker
from fastsam2_ros.printable import printable

if TYPE_CHECKING:
    from fastsam2_ros.tracker import TextTracker

NOT_LOADED, LASTING_FAULT = 1, 2
"""Exit codes: parameters or models that cannot be had; a fault that only a new process ends."""


class TrackerNode(BackgroundLifecycleNode):
    """Life cycle, settings, and what concerns all cameras; the rest is in `Camera`.

    configure loads the models, activate subscribes to images, deactivate unsubscribes, cleanup gives the memory back. All
    of them run in the worker's thread, between two steps.

    Args:
        make_tracker: makes the tracker from the parameters.
        arguments: of `rclpy.node.Node`.

    Attributes:
        cameras: by name; the only one is named "".
        ended: gets an exit code once there is no use in going on.

    Raises:
        InputError: a parameter of the wrong type or out of its range.
    """

    def __init__(self, make_tracker: Callable[[TrackerConfig], TextTracker], **arguments: Any) -> None:
        self._worker: Worker[ImageMessage] = Worker(self.on_exception)
        super().__init__("fastsam2_tracker", self._worker.call, **arguments)
        self.ended: Future[int] = Future()
        self._make_tracker = make_tracker
        self._settings_lock = threading.Lock()
        self._state = NodeState(*parameters.declare(self))
        self._loaded = False  # the models are, or are being loaded: what they are made of cannot change
        self._bond: Any = None
        self._log = NodeLog(self)
        self.cameras = {
            name: Camera(self, name, self._worker, self._state, self._log, self._end_for_good)
            for name in self._state.own.cameras or ("",)
        }
        self._graph = GraphWatch(self.get_fully_qualified_name())
        self._enter("unconfigured", "Waiting to be configured.")
        # A command that is given while the models are loaded waits in the worker.
        qos.new_subscription(self, String, "target_description", self._on_description, qos.reliable())
        # As many calls may wait as of the parameters' services: ROS's usual ten are lost in a burst, and never answered.
        self.create_service(Trigger, "~/reset", self._on_reset, qos_profile=qos_profile_parameters)
        self.add_on_set_parameters_callback(self._on_parameters)
        # A steady clock: simulated time may not run.
        self.create_timer(1.0, self._on_timer, clock=Clock(clock_type=ClockType.STEADY_TIME))
        publish_diagnostics(self, {name or "tracker": each.diagnostics for name, each in self.cameras.items()})

    def start(self) -> None:
        """Begin to work: with `autostart`, load the models and take images. From here on `close` has to be called."""
        if self._state.own.autostart:
            self._worker.call(self._start_by_itself)
        self._worker.start()

    def close(self) -> None:
        """End the worker, then the node."""
        self._worker.stop()
        # Not the node's own logger: after a signal, /rosout is gone already.
        logger = get_logger(f"{self.get_name()}.summary")
        for camera in self.cameras.values():
            logger.info(camera.summary())
            camera.close()
        self._break_bond()
        self.destroy_node()

    # Transitions, in the worker's thread.

    def on_configure(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Load the models, and let them run once."""
        with self._settings_lock:
            self._loaded, config, own = True, self._state.config, self._state.own
        model = printable(config.model.name)
        self._log.clear("models", "transition")
        for camera in self.cameras.values():
            camera.watch_topic()
        self._enter("configuring", f"Loading {model}: images are passed over until it is done.")
        try:
            tracker = self._make_tracker(config)
            tracker.warm_up()
            trackers = [tracker, *(tracker.sibling() for _ in range(len(self.cameras) - 1))]
            for camera, each in zip(self.cameras.values(), trackers, strict=True):
                camera.take(each)
        except BaseException as error:  # SystemExit, which libraries raise, would end this thread and leave the node.
            self._forget_models()
            self._fail("models", error)
            return TransitionCallbackReturn.FAILURE
        self._enter("inactive", f"{model} is loaded; waiting to be activated.")
        if own.description:
            for camera, text in self._addressed(own.description):
                camera.commands.look_for_by_default(text)
        return TransitionCallbackReturn.SUCCESS

    def on_activate(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Take images from now on."""
        for camera in self.cameras.values():
            camera.start()
        self._bond = form_bond(self)
        self._log.clear("transition")
        self._state.phase = "active"
        for camera in self.cameras.values():
            camera.reports.wait(self._waiting(camera.topic))
        topics = ", ".join(camera.topic for camera in self.cameras.values())
        self._log.say("start", f"{printable(self._state.config.model.name)} is ready. {self._waiting(topics)}")
        return TransitionCallbackReturn.SUCCESS

    def on_deactivate(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Take no more images; targets and models stay."""
        self._stop_images()
        self._enter("inactive", "Inactive: no images are taken.")
        return TransitionCallbackReturn.SUCCESS

    def on_cleanup(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Give models and targets up, with the memory that they take."""
        self._forget_models()
        return TransitionCallbackReturn.SUCCESS

    def on_shutdown(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Give everything up; the process goes on until a signal ends it."""
        self._stop_images()
        self._forget_models()
        self._enter("finalized", "Shut down: end the process, and start it anew.")
        return TransitionCallbackReturn.SUCCESS

    def on_exception(self, error: Exception) -> None:
        """See `BackgroundLifecycleNode`."""
        self._fail("transition", error)

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
        self._break_bond()
        for camera in self.cameras.values():
            camera.stop()

    def _forget_models(self) -> None:
        for camera in self.cameras.values():
            camera.take(None)
        give_memory_back()
        with self._settings_lock:
            self._loaded = False
        self._enter("unconfigured", "Waiting to be configured.")

    # Callbacks of the executor. They only leave things for the worker.

    def _on_description(self, message: String) -> None:
        with self._state.timed():
            self._look_for(message.data)

    def _on_reset(self, request: Trigger.Request, response: Trigger.Response) -> Trigger.Response:
        for camera in self.cameras.values():
            camera.reset()
        response.success = True
        response.message = "All targets are forgotten before the next frame."
        return response

    def _on_parameters(self, changes: list[Parameter[Any]]) -> SetParametersResult:
        values = {parameter.name: parameter.value for parameter in changes}
        before = self._state.config
        with self._settings_lock:
            try:
                config, own = parameters.changed(before, self._state.own, values, loaded=self._loaded)
            except InputError as error:
                return SetParametersResult(successful=False, reason=printable(str(error), 600))
            if config != before and self._loaded:
                for camera in self.cameras.values():
                    camera.commands.reconfigure(config)
            self._state.config, self._state.own = config, own
        return SetParametersResult(successful=True)

    def _on_timer(self) -> None:
        with self._state.timed():
            now = time.monotonic()
            self._log.update(dict(self._graph.update(seen_nodes(self), sim_time(self), now)))
            for camera in self.cameras.values():
                camera.check(now)

    # Pieces.

    def _look_for(self, text: str) -> None:
        for camera, each in self._addressed(text):
            camera.look_for(each)

    def _addressed(self, text: str) -> list[tuple[Camera, str]]:
        """The cameras that a text is for, each with what it is to look for; none where it names one that there is not."""
        try:
            texts = texts_by_camera(text, list(self.cameras))
        except InputError as error:
            self._fail("address", error)
            return []
        self._log.clear("address")
        return [(self.cameras[name], each) for name, each in texts.items()]

    def _enter(self, phase: str, text: str) -> None:
        """Another state of the life cycle, and what it waits for."""
        self._state.phase = phase
        for camera in self.cameras.values():
            camera.reports.wait(text)

    def _fail(self, subject: str, error: BaseException) -> None:
        self._log.fail(subject, error)
        for camera in self.cameras.values():
            camera.reports.publish_status()

    def _end_for_good(self) -> None:
        for camera in self.cameras.values():
            camera.drop_frames()
        self._end(LASTING_FAULT, "The GPU gives this error to every later call of this process, which ends.")

    def _end(self, code: int, text: str) -> None:
        self.get_logger().fatal(text)
        if not self.ended.done():
            self.ended.set_result(code)

    def _break_bond(self) -> None:
        if self._bond is not None:
            self._bond.shutdown()
            self._bond = None

    def _waiting(self, topic: str) -> str:
        commands = self.resolve_topic_name("target_description")
        wanted = "" if self._state.own.description.strip() else f" and a description on {commands}"
        return f"Waiting for images on {topic}{wanted}."
