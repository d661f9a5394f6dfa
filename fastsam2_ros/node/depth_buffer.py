"""Finds the depth image that belongs to a frame. No ROS."""

from __future__ import annotations

import threading
from collections import deque
from typing import Generic, TypeVar

_NEWEST = 8
"""Depth images kept for the next frame, which is never older than the camera's newest but one."""

Message = TypeVar("Message")


class DepthBuffer(Generic[Message]):
    """The newest depth images, and the nearest to the frame at work, however long that takes. Any thread may call."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._newest: deque[tuple[int, Message]] = deque(maxlen=_NEWEST)
        self._wanted: int | None = None
        self._nearest: tuple[int, Message] | None = None

    def add(self, stamp_ns: int, message: Message) -> None:
        """A depth image has come."""
        with self._lock:
            self._newest.append((stamp_ns, message))
            self._choose()

    def want(self, stamp_ns: int) -> None:
        """A frame of this stamp is taken up: from now on its depth image is kept."""
        with self._lock:
            self._wanted, self._nearest = stamp_ns, None
            self._choose()

    def nearest(self) -> tuple[int, Message] | None:
        """That of the wanted frame: by how much it is newer, nanoseconds, and the message; None where there is none at all."""
        with self._lock:
            if self._nearest is None or self._wanted is None:
                return None
            return self._nearest[0] - self._wanted, self._nearest[1]

    def clear(self) -> None:
        """Forget all."""
        with self._lock:
            self._newest.clear()
            self._wanted = self._nearest = None

    def _choose(self) -> None:
        if (wanted := self._wanted) is not None:
            known = [*self._newest, *([self._nearest] if self._nearest else [])]
            self._nearest = min(known, key=lambda each: abs(each[0] - wanted), default=None)
