"""What a keep ratio means, in one place: how many queries, and how many keys of which memory frame."""

from __future__ import annotations

from dataclasses import dataclass

MIDDLE_FLOOR = 0.02
"""Least share of tokens kept of a frame that is neither a prompt nor the newest."""
ENDS, EVEN, POOLED = "ends", "even", "pooled"
"""Values of `PruningConfig.keys`."""


@dataclass(frozen=True)
class Shares:
    """Shares of the token grid, (0, 1], that one target gets in memory attention."""

    queries: float
    """Of this frame's tokens, to be conditioned on memory."""
    ends: float
    """Of the newest prompt frame and of the newest frame, as keys."""
    middle: float
    """Of every other memory frame, as keys."""
    pooled: bool = False
    """What a frame drops is kept as a few means of neighbours, which count as keys within the frame's share."""

    @classmethod
    def of(cls, keep_ratio: float, memory_frames: int, query_exponent: float = 1.0, keys: str = EVEN) -> Shares:
        """The shares that a keep ratio stands for.

        Of this frame's tokens keep_ratio ** a go through attention, and of *all* memory tokens keep_ratio ** (2 - a) are
        keys, a being the query exponent: whatever it is, queries times keys are keep_ratio squared of the dense ones.

        Keys are spread over the frames: in every one the same share (`EVEN`); or (`ENDS`, `POOLED`) the two ends are kept
        whole as long as the frames between them keep `MIDDLE_FLOOR`. With seven frames, .3 keeps the ends dense and .02 of
        the five others.

        Args:
            keep_ratio: (0, 1]; 1 is dense, whatever else is set.
            memory_frames: attended to, the prompt frame included.
            query_exponent: [0, 2].
            keys: one of `ENDS`, `EVEN` and `POOLED`.
        """
        queries, of_all = keep_ratio**query_exponent, keep_ratio ** (2 - query_exponent)
        if keys == EVEN or memory_frames <= 2:
            return cls(queries, of_all, of_all, keys == POOLED)
        total, between = of_all * memory_frames, memory_frames - 2
        middle = min(1.0, max((total - 2) / between, min(MIDDLE_FLOOR, of_all)))
        ends = min(1.0, max(middle, (total - between * middle) / 2))
        return cls(queries, ends, middle, keys == POOLED)


def token_count(share: float, total: int) -> int:
    """How many of `total` tokens a share is: at least 1, rounded."""
    return min(total, max(1, round(share * total)))
