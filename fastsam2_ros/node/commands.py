"""What the node is told to track in one camera's images."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from sensor_msgs.msg import Image, RegionOfInterest

from fastsam2_ros.action import Track
from fastsam2_ros.images import RgbImage
from fastsam2_ros.node import messages
from fastsam2_ros.node.node_log import NodeLog
from fastsam2_ros.node.queues import CameraQueue
from fastsam2_ros.node.reports import Reports
from fastsam2_ros.node.track_goal import GIVEN_UP, TrackGoal
from fastsam2_ros.printable import printable

if TYPE_CHECKING:
    from fastsam2_ros.config import TrackerConfig
    from fastsam2_ros.tracker import TextTracker

WAITING_BOXES = 32
"""Boxes that may wait for the next frame."""


class Commands:
    """Leaves commands for the worker, and reports what came of them. The newest text replaces one that still waits.

    Texts of goals wait apart from the others, so that a goal always hears what became of its own.
    """

    def __init__(self, queue: CameraQueue[Any], log: NodeLog, reports: Reports) -> None:
        self._queue = queue
        self._log = log
        self._reports = reports
        self._goal: TrackGoal | None = None  # whose text the tracker took last; only in the worker's thread

    def look_for(self, text: str, current: TrackGoal | None = None) -> None:
        """Track what the text describes; the current goal ends once the tracker takes it, where it asks for something else."""
        self._queue.submit("text", lambda tracker: self._accept_text(tracker, text, current))

    def look_for_by_default(self, text: str) -> None:
        """Track what the text describes, unless a text waits already."""
        self._queue.submit("text", lambda tracker: self._accept_text(tracker, text, None), unless=("text", "goal"))

    def begin(self, goal: TrackGoal) -> None:
        """Track what a goal asks for; it hears whether the tracker takes it."""
        self._queue.submit("goal", lambda tracker: self._accept_goal(tracker, goal))

    def give_up(self) -> None:
        """A goal was given up: track nothing, where its text is the one that the tracker took last."""
        self._queue.submit("give up", self._give_up)

    def track_box(self, box: RegionOfInterest) -> None:
        """Track what is in a box of the next frame."""
        if not self._queue.submit("box", lambda tracker: self._accept_box(tracker, box), most=WAITING_BOXES):
            self._log.complain("box", f"More than {WAITING_BOXES} boxes wait for a frame; the oldest is given up.")

    def look_like(self, picture: Image, decode: Callable[[Image], RgbImage]) -> None:
        """Track what looks like the thing in a picture."""
        self._queue.submit("example", lambda tracker: self._accept_example(tracker, decode(picture)))

    def reset(self) -> None:
        """Forget all targets, and what still waits."""
        self._queue.discard("text", "goal", "give up", "box", "example")
        self._queue.submit("reset", self._reset)

    def reconfigure(self, config: TrackerConfig) -> None:
        """Go on with other settings."""
        self._queue.submit("settings", lambda tracker: tracker.reconfigure(config))

    def forget(self) -> None:
        """Forget all that still waits. In the worker's thread."""
        self._queue.discard("text", "goal", "give up", "box", "example", "reset", "settings")
        self._goal = None

    # In the worker's thread.

    def _accept_text(self, tracker: TextTracker, text: str, current: TrackGoal | None) -> None:
        self._set_target(tracker, text)
        same = current is not None and current.description.strip() == text.strip()
        self._goal = current if same else None
        if current is not None and not same:
            current.end(Track.Result.REPLACED, "Another text came, on target_description or with the configuration.")

    def _accept_goal(self, tracker: TextTracker, goal: TrackGoal) -> None:
        if goal.reason is not None:
            return  # It ended while it waited.
        try:
            self._set_target(tracker, goal.description)
        except Exception as error:
            goal.refuse(str(error))
            raise
        self._goal = goal
        goal.accept(self._reports.descriptions)

    def _give_up(self, tracker: TextTracker) -> None:
        if self._goal is not None and self._goal.reason in GIVEN_UP:
            self._goal = None
            self._set_target(tracker, "")

    def _set_target(self, tracker: TextTracker, text: str) -> None:
        before = list(self._reports.descriptions)
        self._reports.descriptions = tracker.set_target(text)
        # The same text may be published again and again.
        if before == list(self._reports.descriptions) and "target" not in self._log.problems:
            return
        wanted = "; ".join(self._reports.descriptions)
        self._accepted(f"Looking for: {printable(wanted)}" if wanted else "Nothing to look for.")

    def _accept_box(self, tracker: TextTracker, box: RegionOfInterest) -> None:
        tracker.set_box(messages.box(box))
        self._accepted(
            f"Tracking what is in the box at ({box.x_offset}, {box.y_offset}), {box.width} x {box.height} pixels."
        )

    def _accept_example(self, tracker: TextTracker, picture: RgbImage) -> None:
        name = printable(tracker.set_example(picture))
        self._reports.descriptions = [target.description for target in tracker.targets]
        self._accepted(f"Looking for what an example shows, which looks like: {name}.")

    def _reset(self, tracker: TextTracker) -> None:
        tracker.reset()
        self._goal = None
        self._reports.result, self._reports.descriptions = None, ()
        self._accepted("All targets are forgotten.")

    def _accepted(self, text: str) -> None:
        self._log.clear("target")
        self._log.say("accepted", text)
        self._reports.publish_status()
