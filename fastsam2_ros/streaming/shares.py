"""What a keep ratio means, in one place: how many queries, how many keys of which memory frame, and which tokens."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import torch
from torch import Tensor

MIDDLE_FLOOR = 0.02
"""Least share of tokens kept of a frame that is neither a prompt nor the newest."""
ENDS_FLOOR = 0.3
"""Least share of a prompt and of the newest frame, where the keys are balanced and the frames between have theirs."""
QUERY_FLOOR = 0.15
"""Least share of queries that an exponent above 1 leads to, where the keep ratio allows for it: the target needs its own."""
BALANCED, EVEN, ENDS, POOLED = "balanced", "even", "ends", "pooled"
"""Values of `PruningConfig.keys`."""
_GOLDEN = 0.6180339887498949
"""The golden ratio's fraction: steps of it round a circle leave no large gap, however many there are."""


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
    def of(cls, keep_ratio: float, memory_frames: int, query_exponent: float = 1.0, keys: str = BALANCED) -> Shares:
        """The shares that a keep ratio stands for: it is their geometric mean.

        Of this frame's tokens keep_ratio ** a go through attention, a being the query exponent, but where a is above 1 no
        fewer than `QUERY_FLOOR` or the keep ratio, whichever is less. As many of *all* memory tokens are keys as make
        queries times keys keep_ratio squared of the dense ones.

        Keys are spread over the frames: in every one the same share (`EVEN`); the same (`BALANCED`), but the two ends, the
        prompt and the newest frame, get `ENDS_FLOOR` as long as the frames between them keep `MIDDLE_FLOOR`; or
        (`ENDS`, `POOLED`) the two ends are kept whole under the same condition. With seven frames, .1 is .3 of the ends
        and .02 of the five others, but for `EVEN`; .3 is .3 of each, or all of the ends and .02 of the others.

        Args:
            keep_ratio: (0, 1]; 1 is dense, whatever else is set.
            memory_frames: attended to, the prompt frame included.
            query_exponent: [0, 2].
            keys: one of `BALANCED`, `EVEN`, `ENDS` and `POOLED`.
        """
        queries = max(keep_ratio**query_exponent, min(keep_ratio, QUERY_FLOOR))
        of_all = keep_ratio**2 / queries
        if keys == EVEN or memory_frames <= 2:
            return cls(queries, of_all, of_all, keys == POOLED)
        total, between = of_all * memory_frames, memory_frames - 2
        wanted = max(ENDS_FLOOR, of_all) if keys == BALANCED else 1.0
        ends = max(of_all, min(wanted, (total - between * min(MIDDLE_FLOOR, of_all)) / 2))
        return cls(queries, ends, min(ends, (total - 2 * ends) / between), keys == POOLED)


def ratio_for(queries: float, query_exponent: float = 1.0) -> float:
    """The least keep ratio that gives this share of queries: what `Shares.of` does, the other way round.

    Args:
        queries: [0, 1].
        query_exponent: [0, 2]; with 0 every ratio gives all queries.
    """
    if query_exponent == 0:
        return 0.0
    ratio = queries ** (1 / query_exponent)
    return min(ratio, queries) if queries <= QUERY_FLOOR else ratio


def token_count(share: float, total: int) -> int:
    """How many of `total` tokens a share is: at least 1, rounded."""
    return min(total, max(1, round(share * total)))


def best_first(scores: Tensor) -> Tensor:
    """Tokens in the order in which they are kept.

    Tokens of one score come in a fixed order that spreads every number of them over the frame: cues are silent about most
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
