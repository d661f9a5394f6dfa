"""`TextTracker`: the whole public API of the core."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from fastsam2_ros.config import TrackerConfig
from fastsam2_ros.results import Box, TrackResult


class TextTracker:
    """Finds what a text describes and tracks it, one frame at a time.

    Not thread-safe: one thread calls it (the node's worker).
    """

    @classmethod
    def from_config(cls, config: TrackerConfig) -> TextTracker:
        """Load models. Raises `ModelError` where weights, configuration or device cannot be had."""
        raise NotImplementedError

    @property
    def untrained(self) -> bool:
        """True where the SAM 2 weights are random."""
        raise NotImplementedError

    def set_target(self, text: str) -> tuple[str, ...]:
        """Track what the text describes; descriptions separated by ';'. Blank text: track nothing.

        Descriptions that are tracked already go on undisturbed. Cheap: the search is done by `step`.

        Returns:
            the descriptions that are looked for from now on.

        Raises:
            InputError: too long, or too many; the targets then stay as they were.
        """
        raise NotImplementedError

    def set_box(self, box: Box) -> None:
        """Track what is in this box of the next frame, beside the present targets.

        Raises:
            InputError: the box is empty or not finite. (Outside the frame: a warning of the next result.)
        """
        raise NotImplementedError

    def step(self, frame: npt.NDArray[np.uint8], stamp_ns: int) -> TrackResult:
        """Track through one more frame.

        Args:
            frame: uint8 (H, W, 3), RGB; any size, which may change between frames.
            stamp_ns: nanoseconds; where it does not rise, the last good interval is taken.

        Raises:
            InputError: not such an array; the tracker's state is then unchanged.
        """
        raise NotImplementedError

    def reset(self) -> None:
        """Forget all targets, and all memory. Ids go on rising."""
        raise NotImplementedError
