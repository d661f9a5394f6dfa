"""What is wrong at present, and what of it is worth a line in the log."""

from __future__ import annotations

import math
import re
import threading
import time
from collections.abc import Callable

_NUMBER = re.compile(r"\b\d[\d.]*\b")
_MOST_KINDS = 1000


class Journal:
    """Keeps the open problems by subject, and says which of them have not been logged yet.

    Two problems are of one kind where their texts differ in bare numbers only: a camera with a wrong step gives one
    line, not one per frame. Encodings such as rgb16 are words, so that each gets its line. Any thread may call.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._open: dict[str, str] = {}
        self._logged: dict[tuple[str, str], float] = {}

    def report(self, subject: str, text: str, *, repeat: float = math.inf) -> bool:
        """Note a problem; the newest of a subject replaces the one before.

        Args:
            subject: what it is about: image, tracker, target, camera.
            text: one sentence that names the thing and the way out.
            repeat: seconds after which the same kind is logged again.

        Returns:
            True where it should be logged: the first of its kind, or `repeat` seconds after the last time.
        """
        kind = (subject, _NUMBER.sub("#", text))
        now = self._clock()
        with self._lock:
            self._open.pop(subject, None)  # So that it goes to the end: the newest.
            self._open[subject] = text
            if now - self._logged.get(kind, -math.inf) < repeat:
                return False
            if len(self._logged) >= _MOST_KINDS:
                self._logged.clear()
            self._logged[kind] = now
            return True

    def clear(self, *subjects: str) -> None:
        """These are well again."""
        with self._lock:
            for subject in subjects:
                self._open.pop(subject, None)

    @property
    def newest(self) -> str:
        """The newest problem that is still open; empty: all is well."""
        with self._lock:
            return next(reversed(self._open.values()), "")
