"""Token grids that the cues' tests share."""

from __future__ import annotations

import torch

GRID = (8, 8)


def mask_logits(*cells: tuple[int, int]) -> torch.Tensor:
    """(1, 1, 32, 32): +8 on these cells of the grid, -8 elsewhere."""
    logits = torch.full((1, 1, 32, 32), -8.0)
    for row, column in cells:
        logits[..., 4 * row : 4 * row + 4, 4 * column : 4 * column + 4] = 8.0
    return logits


def on_grid(values: torch.Tensor) -> torch.Tensor:
    return values.reshape(-1, *GRID)


def noise_tokens(seed: int = 0, count: int = 64) -> torch.Tensor:
    return torch.randn(count, 16, generator=torch.Generator().manual_seed(seed))
