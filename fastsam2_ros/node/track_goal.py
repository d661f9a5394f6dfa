"""What becomes of a goal of the action Track. No graph."""

from __future__ import annotations

import math
import threading
from collections.abc import Callable, Iterable, Sequence

from fastsam2_ros.action import Track
from fastsam2_ros.errors import InputError
from fastsam2_ros.printable import printable
from fastsam2_ros.results import TrackedObject, TrackState

_SEEN = (TrackState.TRACKING, TrackState.UNCERTAIN)
GIVEN_UP = (Track.Result.CANCELLED, Track.Result.NOT_FOUND, Track.Result.LOST)
"""Reasons after which its target is looked for no more."""
_BEST_FIRST = (TrackState.TRACKING, TrackState.UNCERTAIN, TrackState.LOST, TrackState.SEARCHING)


def checked_patience(seconds: float) -> float:
    """The patience of a goal; raises `InputError` where it is negative or not finite."""
    if not (math.isfinite(seconds) and seconds >= 0):
        raise InputError(f"patience is {seconds:g} s; take a time from 0 on, where 0 is without end.")
    return seconds


class TrackGoal:
    """One goal, from its acceptance to its end. Any thread may call.

    Args:
        request: description, until_tracking, patience.
        now: time, seconds; of the clock of all later ones.
        ended: is called once, with the result.

    Attributes:
        description: what it asks for.
        reason: why it ended, a constant of Track's result; None: it has not.
    """

    def __init__(self, request: Track.Goal, now: float, ended: Callable[[Track.Result], None]) -> None:
        self.description: str = request.description
        self._until_tracking: bool = request.until_tracking
        self._patience: float = request.patience
        self._ended = ended
        self._lock = threading.Lock()
        self.reason: int | None = None
        self._last_seen = now
        self._was_seen = False
        self._descriptions: Sequence[str] | None = None

    def accept(self, descriptions: Sequence[str]) -> None:
        """The tracker looks for these from now on."""
        with self._lock:
            self._descriptions = descriptions
        if not descriptions:
            self.end(Track.Result.REFUSED, "The description is empty: there is nothing to look for.")

    def refuse(self, reason: str) -> None:
        """The tracker does not take the text."""
        self.end(Track.Result.REFUSED, reason)

    def see(self, objects: Iterable[TrackedObject], now: float) -> TrackedObject | None:
        """The targets of a new frame.

        Returns:
            the best of those that the goal describes; None where the tracker does not know it yet.
        """
        with self._lock:
            wanted = self._descriptions or ()
            mine = [each for each in objects if each.description in wanted]
            if not mine:
                return None
            best = min(mine, key=lambda each: (_BEST_FIRST.index(each.state), -each.score))
            if best.state in _SEEN:
                self._last_seen, self._was_seen = now, True
        if self._until_tracking and best.state == TrackState.TRACKING:
            self.end(Track.Result.FOUND, f"'{printable(best.description)}' is tracked.")
        return best

    def wait(self, now: float) -> None:
        """Time goes by: lose patience, perhaps."""
        with self._lock:
            self._last_seen = min(self._last_seen, now)  # A simulated time may begin anew.
            impatient = 0 < self._patience < now - self._last_seen
            was_seen = self._was_seen
        name = printable(self.description)
        if impatient and was_seen:
            self.end(Track.Result.LOST, f"'{name}' has not been seen any more for {self._patience:g} s.")
        elif impatient:
            self.end(Track.Result.NOT_FOUND, f"'{name}' has not been found within {self._patience:g} s.")

    def end(self, reason: int, message: str) -> None:
        """It is over, unless it was before."""
        with self._lock:
            if self.reason is not None:
                return
            self.reason = reason
        self._ended(Track.Result(reason=reason, message=message))
