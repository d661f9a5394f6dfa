"""What the router decided, as plain arrays for pictures."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from fastsam2_ros.results import TargetTokens
from fastsam2_ros.streaming.values import Grid


def target_tokens(
    ids: Sequence[int], tokens: Sequence[Tensor | None], contributions: Tensor | None, grid: Grid
) -> tuple[TargetTokens, ...]:
    """Kept tokens and leading cues of each target, by rising id.

    Args:
        ids: of the targets.
        tokens: per target int64 (kept,) indices into the grid; None: all.
        contributions: (cues, targets, N), what each cue adds to a token's score; None: nothing was scored.
        grid: (rows, columns), whose product is N.
    """
    targets = []
    for row, (number, chosen) in enumerate(zip(ids, tokens, strict=True)):
        kept = torch.full((grid[0] * grid[1],), chosen is None)
        if chosen is not None:
            kept[chosen.cpu()] = True
        leading = torch.full(kept.shape, -1, dtype=torch.int8)
        if contributions is not None and len(contributions):
            most, cue = contributions[:, row].cpu().max(0)
            leading = torch.where(most > 0, cue, -1).to(torch.int8)
        targets.append(TargetTokens(number, kept.reshape(grid).numpy(), leading.reshape(grid).numpy()))
    return tuple(sorted(targets, key=lambda target: target.id))
