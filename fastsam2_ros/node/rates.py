"""How often something happens."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable

_MISSED = 3.0
"""So many of its intervals without an event, and something slower than the window counts as ended."""


class RateMeter:
    """Events per second over the newest seconds.

    Args:
        window: length of the time that is looked at, seconds; what happens more seldom is judged by its last two events.
        clock: gives the time, seconds; monotonic.
    """

    def __init__(self, window: float = 5.0, clock: Callable[[], float] = time.monotonic) -> None:
        self._window = window
        self._clock = clock
        self._times: deque[float] = deque()

    def tick(self) -> None:
        """Note one event, now."""
        self._times.append(self._clock())
        self._forget(self._times[-1])

    def rate(self) -> float:
        """Events per second, Hz; 0 where fewer than two are known, or where they have ended."""
        now = self._clock()
        self._forget(now)
        if len(self._times) < 2:
            return 0.0
        interval = max(self._times[-1] - self._times[0], 1e-9) / (len(self._times) - 1)
        if now - self._times[-1] > max(self._window, _MISSED * interval):
            return 0.0
        return 1.0 / interval

    def _forget(self, now: float) -> None:
        while len(self._times) > 2 and self._times[0] < now - self._window:
            self._times.popleft()
