"""How often something happens."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable


class RateMeter:
    """Events per second over the newest seconds.

    Args:
        window: length of the time that is looked at, seconds.
        clock: gives the time, seconds; monotonic.
    """

    def __init__(self, window: float = 5.0, clock: Callable[[], float] = time.monotonic) -> None:
        self._window = window
        self._clock = clock
        self._times: deque[float] = deque()

    def tick(self) -> None:
        """Note one event, now."""
        self._times.append(self._clock())
        self._forget()

    def rate(self) -> float:
        """Events per second, Hz; 0 where fewer than two lie within the window."""
        self._forget()
        if len(self._times) < 2:
            return 0.0
        return (len(self._times) - 1) / max(self._times[-1] - self._times[0], 1e-9)

    def _forget(self) -> None:
        oldest = self._clock() - self._window
        while self._times and self._times[0] < oldest:
            self._times.popleft()
