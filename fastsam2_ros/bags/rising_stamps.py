"""What the tracker is told of time, where a recording's headers say anything."""

from __future__ import annotations

import logging

from fastsam2_ros.bags.source import Frame

_log = logging.getLogger(__name__)


class RisingStamps:
    """The headers' intervals where their stamps rise, else those of the recording; one warning, not one per frame.

    As long as all stamps rise, they are the result.

    Args:
        name: of the source, for the warning.
    """

    def __init__(self, name: str) -> None:
        self._name = name
        self._last: tuple[int, int] | None = None  # stamp and recording time
        self._stamp_ns = 0
        self._told = False

    def of(self, frame: Frame) -> int:
        """A stamp above that of the frame before, nanoseconds."""
        last, self._last = self._last, (frame.stamp_ns, frame.time_ns)
        if last is None:
            self._stamp_ns = frame.stamp_ns
            return self._stamp_ns
        interval_ns = frame.stamp_ns - last[0]
        if interval_ns <= 0:
            interval_ns = max(1, frame.time_ns - last[1])
            if not self._told:
                self._told = True
                _log.warning(
                    "%s: header stamps do not always rise (%d ns comes after %d ns). They are passed on unchanged; "
                    "there, the time of recording counts.",
                    self._name, frame.stamp_ns, last[0],
                )  # fmt: skip
        self._stamp_ns += interval_ns
        return self._stamp_ns
