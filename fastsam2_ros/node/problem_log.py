"""What is wrong at present, and what of it is worth a line in the log."""

from __future__ import annotations

import math
import re
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

_NUMBER = re.compile(r"\b\d[\d.]*\b")
BURST = 3
"""Lines that a subject may log at once."""
INTERVAL = 10.0
"""Seconds after which it may log another."""
REPEAT = 60.0
"""Seconds after which it says the same again."""
_KINDS = 16


@dataclass
class _Talk:
    """What a subject has logged.

    Attributes:
        said: when a kind of line was last logged, seconds; the newest few kinds.
        left: lines that it may still log at once; grows with time.
        since: up to when `left` has been counted, seconds.
    """

    said: dict[str, float]
    left: float
    since: float


class ProblemLog:
    """Keeps the open problems by subject, and says which of them to log. Any thread may call.

    The log is limited by subject, not by text, since texts hold what others send: `BURST` lines at once, then one in
    `INTERVAL`; and the same kind of line in `REPEAT` only. Two texts are of one kind where they differ in bare numbers
    only. What is not logged is still the newest problem.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._open: dict[str, str] = {}
        self._talks: dict[str, _Talk] = {}

    def report(self, subject: str, text: str) -> bool:
        """Note a problem; the newest of a subject replaces the one before.

        Args:
            subject: what it is about, one of a fixed few: image, tracker, target, camera ...
            text: one sentence that names the thing and the way out.

        Returns:
            True where it should be logged.
        """
        with self._lock:
            self._open.pop(subject, None)  # So that it goes to the end: the newest.
            self._open[subject] = text
        return self.says(subject, text)

    def note(self, subject: str, text: str) -> None:
        """Keep what is waited for as the oldest of the problems: it hides none that someone can do something about."""
        with self._lock:
            self._open = {subject: text} | {other: told for other, told in self._open.items() if other != subject}

    def says(self, subject: str, text: str) -> bool:
        """Whether a line that is no problem should be logged."""
        kind, now = _NUMBER.sub("#", text), self._clock()
        with self._lock:
            talk = self._talks.setdefault(subject, _Talk({}, BURST, now))
            talk.left = min(BURST, talk.left + (now - talk.since) / INTERVAL)
            talk.since = now
            if talk.left < 1 or now - talk.said.get(kind, -math.inf) < REPEAT:
                return False
            talk.said.pop(kind, None)  # So that it goes to the end.
            talk.said[kind], talk.left = now, talk.left - 1
            if len(talk.said) > _KINDS:
                del talk.said[next(iter(talk.said))]
            return True

    def clear(self, *subjects: str) -> None:
        """These are well again."""
        with self._lock:
            for subject in subjects:
                self._open.pop(subject, None)

    @property
    def problems(self) -> dict[str, str]:
        """Those that are open, by subject; the newest comes last."""
        with self._lock:
            return dict(self._open)
