"""Which rows of a memory frame are merged, so that what is dropped is still spoken for.

The best tokens stay for themselves; the others become one mean for each cell of the token grid, which then counts for as
many tokens as it stands for: log n is added to its attention logit, as if its key were there n times.
"""

from __future__ import annotations

import torch
from torch import Tensor


def merged_rows(tokens: Tensor, ranking: Tensor, grid: tuple[int, int], count: int) -> Tensor:
    """Assign each row of a frame to one of exactly `count` new rows.

    Cells are squares of 2, 4, 8 ... tokens: the smallest whose means take at most half of the new rows.

    Args:
        tokens: int64, (rows,), places in the row-major token grid.
        ranking: int64, (rows,), the most useful row first.
        grid: (height, width) of the token grid.
        count: 2 or more, fewer than the rows.

    Returns:
        int64, (rows,): the new row of each; those that stay alone come first, in their old order.
    """
    rows = len(tokens)
    side = 2
    while _cells(grid, side)[0] * _cells(grid, side)[1] > count // 2:
        side *= 2
    down, across = _cells(grid, side)
    cell = tokens // grid[1] // side * across + tokens % grid[1] // side
    rank = torch.empty_like(ranking)
    rank[ranking] = torch.arange(rows, device=rank.device)
    # When the k best rows stay alone, k rows are left and those cells whose last row is not among the k best. This number
    # grows with k by 0 or 1, so that some k gives exactly what is asked for.
    last = torch.full((down * across,), -1, device=rank.device).scatter_reduce(0, cell, rank, "amax")
    last = last[last >= 0]
    used_up = torch.bincount(last + 1, minlength=rows + 1).cumsum(0)
    left = torch.arange(rows + 1, device=rank.device) + len(last) - used_up
    alone = torch.searchsorted(left, torch.tensor(count, device=rank.device), right=True) - 1
    group = torch.where(rank < alone, torch.arange(rows, device=rank.device), rows + cell)
    return torch.unique(group, return_inverse=True)[1]


def merge(values: Tensor, weights: Tensor, new_rows: Tensor, count: int) -> Tensor:
    """Weighted means of the rows that share a new row: float32, (count, ...).

    Args:
        values: (rows, ...).
        weights: float32, (rows,), positive.
        new_rows: int64, (rows,), below `count`, each of which occurs.
    """
    flat = values.float().reshape(len(values), -1)
    total = torch.zeros(count, flat.shape[1], device=flat.device).index_add_(0, new_rows, flat * weights[:, None])
    weight = torch.zeros(count, device=flat.device).index_add_(0, new_rows, weights)
    return (total / weight[:, None]).reshape(count, *values.shape[1:])


def _cells(grid: tuple[int, int], side: int) -> tuple[int, int]:
    return -(-grid[0] // side), -(-grid[1] // side)
