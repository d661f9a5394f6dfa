"""The node's log, and what is wrong at present."""

from __future__ import annotations

import traceback
from collections.abc import Mapping

from rclpy.node import Node

from fastsam2_ros.errors import FastSam2Error
from fastsam2_ros.node.problem_log import ProblemLog
from fastsam2_ros.printable import printable

STOPPED = frozenset({"models", "transition", "tracker", "output", "camera", "qos"})
"""Subjects whose problems mean that nothing comes out."""
_ERRORS = STOPPED | {"image", "target", "address"}
_MESSAGE, _TRACEBACK = 600, 6000  # characters


class NodeLog:
    """Logs by subject, and keeps the problems that are open. Any thread may call.

    Args:
        node: whose logger it is.
        camera: name of the camera that it is all about; empty: the only one, or the node as a whole.
        problems: those of the node, where this is the log of one of its cameras.
    """

    def __init__(self, node: Node, camera: str = "", problems: ProblemLog | None = None) -> None:
        self._node = node
        self._camera = camera
        self._problems = problems or ProblemLog()

    def of_camera(self, camera: str) -> NodeLog:
        """The part of it that is about one camera; empty: the only one."""
        return NodeLog(self._node, camera, self._problems)

    def say(self, subject: str, text: str) -> None:
        """Log that something went as it should."""
        if self._problems.says(self._full(subject), text):
            self._node.get_logger().info(self._told(text))

    def note(self, subject: str, text: str) -> None:
        """Keep what is waited for behind the problems, without a line in the log."""
        self._problems.note(self._full(subject), text)

    def complain(self, subject: str, text: str, error: BaseException | None = None) -> None:
        """Note a problem, and log it unless its subject has logged enough; with the traceback of an error."""
        text = printable(" ".join(text.split()), _MESSAGE)
        if not self._problems.report(self._full(subject), text):
            return
        text = self._told(text)
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

    def update(self, problems: Mapping[str, str]) -> None:
        """Complain of each subject that has a problem, and clear those whose text is empty."""
        for subject, text in problems.items():
            if text:
                self.complain(subject, text)
            else:
                self.clear(subject)

    def clear(self, *subjects: str) -> None:
        """These are well again."""
        self._problems.clear(*map(self._full, subjects))

    @property
    def problems(self) -> dict[str, str]:
        """Those that are open, by subject, of this camera and of the node as a whole; the newest comes last."""
        parts = ((subject.rpartition("/"), text) for subject, text in self._problems.problems.items())
        return {subject: text for (camera, _, subject), text in parts if camera in ("", self._camera)}

    def _full(self, subject: str) -> str:
        return f"{self._camera}/{subject}" if self._camera else subject

    def _told(self, text: str) -> str:
        return f"{self._camera}: {text}" if self._camera else text
