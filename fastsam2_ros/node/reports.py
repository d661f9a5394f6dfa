"""What the node says of one camera: status, and its part of the diagnostics."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from threading import Lock
from typing import TYPE_CHECKING

from diagnostic_msgs.msg import DiagnosticStatus
from rclpy.node import Node
from std_msgs.msg import Header

from fastsam2_ros import msg
from fastsam2_ros.message_fields import stamp_to_ns
from fastsam2_ros.node import messages, qos
from fastsam2_ros.node.node_log import STOPPED, NodeLog
from fastsam2_ros.node.node_state import NodeState
from fastsam2_ros.node.queues import Counts
from fastsam2_ros.process_memory import gpu_bytes, resident_bytes
from fastsam2_ros.results import TrackResult

if TYPE_CHECKING:
    from fastsam2_ros.tracker import TextTracker


class Reports:
    """Any thread may call.

    Args:
        node: for its publishers and clock.
        prefix: of the topics, such as `~/` or `~/front/`.
        state: of the node.
        log: of this camera.
        counts: gives the camera's counts.

    Attributes:
        tracker: the one that is loaded.
        result: the newest.
        descriptions: what is looked for or tracked now.
    """

    def __init__(self, node: Node, prefix: str, state: NodeState, log: NodeLog, counts: Callable[[], Counts]) -> None:
        self._node = node
        self._state = state
        self._log = log
        self._counts = counts
        self.statuses = qos.new_publisher(node, msg.TrackerStatus, f"{prefix}status", qos.latched())
        self._newest = msg.TrackerStatus()
        self._publishing = Lock()
        self._gpu: dict[str, int] = {}
        self.tracker: TextTracker | None = None
        self.result: TrackResult | None = None
        self.descriptions: Sequence[str] = ()

    def fail(self, subject: str, error: BaseException) -> None:
        """Log what went wrong, and publish it."""
        self._log.fail(subject, error)
        self.publish_status()

    def wait(self, text: str) -> None:
        """Publish what is waited for before the next frame."""
        self._log.note("start", text)
        self.publish_status(Header())

    def publish_status(self, header: Header | None = None, processing_time: float = 0.0) -> None:
        """Publish how the tracker is doing.

        Args:
            header: of the newest image; None: that of the status before.
            processing_time: seconds, of a new image.
        """
        # Two threads report: the last status that is published must not be one that was made up before the other's.
        with self._publishing:
            header = self._newest.header if header is None else header
            age = self._node.get_clock().now().nanoseconds - stamp_to_ns(header.stamp)
            tracker, model = self.tracker, self._state.config.model
            self._newest = messages.status(
                header,
                self.result,
                self.descriptions,
                self._counts(),
                model.name,
                model.device if tracker is None else str(tracker.device),
                active=self._state.phase == "active",
                untrained=tracker is not None and tracker.untrained,
                processing_time=processing_time,
                latency=age * 1e-9 if processing_time else 0.0,
                message=next(reversed(self._log.problems.values()), ""),
            )
            self.statuses.publish(self._newest)
        # Here, in the worker's thread, torch is there: the executor's may ask while it is being imported.
        if processing_time and self._newest.device.startswith("cuda"):
            self._gpu = {"GPU memory": gpu_bytes(self._newest.device)}

    def diagnostics(self, name: str, silence: float | None) -> DiagnosticStatus:
        """The camera's entry in /diagnostics. Arguments as for `messages.diagnostics`."""
        return messages.diagnostics(
            name,
            self._newest,
            self._counts(),
            self._state.phase,
            self._log.problems,
            stopped=STOPPED,
            silence=silence,
            slowest=self._state.slowest,
            memory={"resident memory": resident_bytes(), **self._gpu},
        )
