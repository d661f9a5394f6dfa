"""What the node says of itself: log, status and diagnostics."""

from __future__ import annotations

import traceback
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from diagnostic_msgs.msg import DiagnosticArray
from rclpy.node import Node
from std_msgs.msg import Header

from fastsam2_ros import msg
from fastsam2_ros.config import TrackerConfig
from fastsam2_ros.errors import FastSam2Error
from fastsam2_ros.message_fields import stamp_to_ns
from fastsam2_ros.node import messages
from fastsam2_ros.node.problem_log import ProblemLog
from fastsam2_ros.node.publishers import LATCHED, RELIABLE
from fastsam2_ros.node.worker import Counts
from fastsam2_ros.printable import printable
from fastsam2_ros.results import TrackResult

if TYPE_CHECKING:
    from fastsam2_ros.tracker import TextTracker

_STOPPED = frozenset({"models", "transition", "tracker", "output", "camera", "qos"})
"""Subjects whose problems mean that nothing comes out."""
_ERRORS = _STOPPED | {"image", "target"}
_MESSAGE, _TRACEBACK = 600, 6000  # characters


class Reports:
    """Any thread may call.

    Args:
        node: for its publishers, log and clock.
        counts: gives the worker's counts.
        config: gives the settings.

    Attributes:
        phase: state of the life cycle.
        tracker: the one that is loaded.
        result: the newest.
        descriptions: what is looked for or tracked now.
    """

    def __init__(self, node: Node, counts: Callable[[], Counts], config: Callable[[], TrackerConfig]) -> None:
        self._node = node
        self._counts = counts
        self._config = config
        self._problems = ProblemLog()
        self._statuses = node.create_publisher(msg.TrackerStatus, "~/status", LATCHED)
        self._diagnostics = node.create_publisher(DiagnosticArray, "/diagnostics", RELIABLE)
        self._newest = msg.TrackerStatus()
        self.phase = "unconfigured"
        self.tracker: TextTracker | None = None
        self.result: TrackResult | None = None
        self.descriptions: Sequence[str] = ()

    def say(self, subject: str, text: str) -> None:
        """Log that something went as it should."""
        if self._problems.says(subject, text):
            self._node.get_logger().info(text)

    def complain(self, subject: str, text: str, error: BaseException | None = None) -> None:
        """Note a problem, and log it unless its subject has logged enough; with the traceback of an error."""
        text = printable(" ".join(text.split()), _MESSAGE)
        if not self._problems.report(subject, text):
            return
        if error is not None:
            lines = "".join(traceback.format_exception(error))[-_TRACEBACK:].splitlines()
            text = "\n".join([text, *(printable(line) for line in lines)])
        # Two calls: rclpy ties a place in the code to one severity.
        if subject in _ERRORS:
            self._node.get_logger().error(text)
        else:
            self._node.get_logger().warning(text)

    def fail(self, subject: str, error: BaseException) -> None:
        """Complain of an exception: by its message where this package raised it on purpose, else with its traceback."""
        if isinstance(error, FastSam2Error):
            self.complain(subject, str(error))
        else:
            self.complain(subject, f"{type(error).__name__}: {error}", error)
        self.publish_status()

    def clear(self, *subjects: str) -> None:
        """These are well again."""
        self._problems.clear(*subjects)

    def is_open(self, subject: str) -> bool:
        """Whether there is a problem with it."""
        return subject in self._problems.problems

    def enter(self, phase: str, text: str) -> None:
        """Another state of the life cycle, and what it waits for."""
        self.phase = phase
        self._problems.report("start", text)
        self.publish_status(Header())

    def publish_status(self, header: Header | None = None, processing_time: float = 0.0) -> None:
        """Publish how the tracker is doing.

        Args:
            header: of the newest image; None: that of the status before.
            processing_time: seconds, of a new image.
        """
        header = self._newest.header if header is None else header
        age = self._node.get_clock().now().nanoseconds - stamp_to_ns(header.stamp)
        tracker, model = self.tracker, self._config().model
        self._newest = messages.status(
            header,
            self.result,
            self.descriptions,
            self._counts(),
            model.name,
            model.device if tracker is None else str(tracker.device),
            active=self.phase == "active",
            untrained=tracker is not None and tracker.untrained,
            processing_time=processing_time,
            latency=age * 1e-9 if processing_time else 0.0,
            message=self._problems.newest,
        )
        self._statuses.publish(self._newest)

    def publish_diagnostics(self, silence: float | None, slowest: float) -> None:
        """Publish /diagnostics. Arguments as for `messages.diagnostics`."""
        entry = messages.diagnostics(
            self._node.get_fully_qualified_name(),
            self._newest,
            self._counts(),
            self.phase,
            self._problems.problems,
            stopped=_STOPPED,
            silence=silence,
            slowest=slowest,
        )
        stamp = self._node.get_clock().now().to_msg()
        self._diagnostics.publish(DiagnosticArray(header=Header(stamp=stamp), status=[entry]))
