"""How many tokens take part in memory attention: of this frame, of each memory frame, and which come first."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import torch
from torch import Tensor

SMALL_KEEP_RATIO = 0.15
"""Up to here memory shrinks in proportion to the keep ratio (`memory_ratio_for`)."""
SMALL_MEMORY_FACTOR = 16 / 9
"""Memory kept, per keep ratio, up to there."""
MIDDLE_FLOOR = 0.02
"""Least share of tokens kept of a frame that is neither a prompt nor the newest."""
ENDS_FLOOR = 0.3
"""Least share of a prompt and of the newest frame, while the frames between them have theirs."""
_GOLDEN = 0.6180339887498949
"""The golden ratio's fraction: steps of it round a circle leave no large gap, however many there are."""


def memory_ratio_for(keep_ratio: float) -> float:
    """The share of memory tokens that goes with a keep ratio, where none is set.

    The cube root of the keep ratio, since memory is worth more than queries where it was measured
    (docs/results/2026-11-23-pruning-defaults.md); at `SMALL_KEEP_RATIO` and below, `SMALL_MEMORY_FACTOR` times the keep
    ratio. So .25 of the frame's tokens go with .63 of the memory, .16 with .54, .15 with .27, and 1 with 1.

    Args:
        keep_ratio: share of a frame's tokens, (0, 1].
    """
    return SMALL_MEMORY_FACTOR * keep_ratio if keep_ratio <= SMALL_KEEP_RATIO else keep_ratio ** (1 / 3)


@dataclass(frozen=True)
class TokenShares:
    """Shares of the token grid, (0, 1], that one target gets in memory attention.

    Attributes:
        queries: the keep ratio: of this frame's tokens, to be conditioned on memory.
        ends: of the newest prompt frame and of the newest frame, as keys.
        middle: of every other memory frame, as keys.
    """

    queries: float
    ends: float
    middle: float

    @classmethod
    def of(cls, keep_ratio: float, memory_frames: int, memory_ratio: float = 0.0) -> TokenShares:
        """Spread the memory's share over its frames.

        Every frame keeps the same share, but the two ends, the prompt and the newest frame, get `ENDS_FLOOR` as long as the
        frames between them keep `MIDDLE_FLOOR`. With seven frames, a memory ratio of .1 is .3 of the ends and .02 of the five
        others; .3 is .3 of each.

        Args:
            keep_ratio: (0, 1].
            memory_frames: attended to, the prompt frame included.
            memory_ratio: share of all memory tokens, (0, 1]; 0: `memory_ratio_for` the keep ratio.
        """
        of_all = memory_ratio or memory_ratio_for(keep_ratio)
        if memory_frames <= 2:
            return cls(keep_ratio, of_all, of_all)
        total, between = of_all * memory_frames, memory_frames - 2
        wanted = max(ENDS_FLOOR, of_all)
        ends = max(of_all, min(wanted, (total - between * min(MIDDLE_FLOOR, of_all)) / 2))
        return cls(keep_ratio, ends, min(ends, (total - 2 * ends) / between))


def token_count(share: float, total: int) -> int:
    """How many of `total` tokens a share is: at least 1, rounded."""
    return min(total, max(1, round(share * total)))


def best_first(scores: Tensor) -> Tensor:
    """Tokens in the order in which they are kept.

    Tokens of one score come in a fixed order that spreads every number of them over the frame: the cues are zero for most
    of it, and memory needs some of everything that is to be seen.

    Args:
        scores: (..., N), higher is better; N tokens in the grid's order.

    Returns:
        int64, (..., N), indices; of equal scores always the same.
    """
    spread = _spread(scores.shape[-1], scores.device)
    return spread[scores[..., spread].argsort(dim=-1, descending=True, stable=True)]


@lru_cache(maxsize=8)
def _spread(total: int, device: torch.device) -> Tensor:
    steps = torch.arange(total, dtype=torch.float64) * _GOLDEN
    return steps.frac().argsort().to(device)
