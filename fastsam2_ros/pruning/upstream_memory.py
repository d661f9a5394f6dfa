"""Pruned memory in the outputs that upstream's `SAM2VideoPredictor` keeps per frame.

`maskmem_features` becomes (1, M, kept, 1), and a `MemoryFrame` stands first in the list `maskmem_pos_enc`, of which upstream
reads the last entry only. The positions stay upstream's one copy of the whole grid.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from fastsam2_ros.streaming.memory import MemoryFrame
from fastsam2_ros.streaming.shares import best_first

State = dict[str, Any]
"""What `init_state` returns, and the outputs in it."""


class Reading(State):
    """A frame's output that notes in `read` when its memory is read: the kept tokens, or None for all.

    Which frames are attended to, and in which order, so stays upstream's choice.
    """

    def __init__(self, out: State, read: list[Tensor | None], count: int | None = None) -> None:
        super().__init__(out)
        self._read = read
        memory = memory_of(out)
        self._memory = memory if memory is None or count is None else memory.keep(count)

    def __getitem__(self, key: str) -> Any:
        value = super().__getitem__(key)
        if key == "maskmem_features":
            self._read.append(None if self._memory is None else self._memory.tokens)
        if self._memory is None or key not in ("maskmem_features", "maskmem_pos_enc"):
            return value
        if key == "maskmem_features":
            return _as_map(self._memory)
        positions = value[-1].flatten(2)  # (1, M, N)
        return [positions[:, :, self._memory.tokens.to(positions.device)]]


def memory_of(out: Mapping[str, Any]) -> MemoryFrame | None:
    """The pruned memory in an output; None where it is upstream's own, or not written yet."""
    positions = out["maskmem_pos_enc"]
    return positions[0] if positions and isinstance(positions[0], MemoryFrame) else None


def pruned(
    features: Tensor, positions: list[Any], index: int, scores: Tensor, count: int
) -> tuple[Tensor, list[MemoryFrame | Tensor]]:
    """A frame's memory with its best tokens: what upstream keeps as `maskmem_features` and `maskmem_pos_enc`.

    Args:
        features: bf16, (1, M, g, g), where upstream stores it.
        positions: upstream's, of the whole grid.
        index: number of the frame.
        scores: (N,), higher for tokens that are worth keeping, on the model's device.
        count: tokens to keep.
    """
    ranking = best_first(scores)
    rows = features.flatten(2)[0].T.to(scores.device)  # (N, M); its way to the storage may not be over yet
    memory = MemoryFrame(index, rows, torch.arange(len(scores), device=scores.device), ranking).keep(count)
    return _stored(memory, positions, features.device)


def shrink(out: State, count: int) -> None:
    """Drop all but the `count` best tokens of an output's memory, where it has been ranked."""
    memory = memory_of(out)
    if memory is not None:
        out["maskmem_features"], out["maskmem_pos_enc"] = _stored(
            memory.keep(count), out["maskmem_pos_enc"], memory.features.device
        )


def _stored(
    memory: MemoryFrame, positions: list[Any], storage: torch.device
) -> tuple[Tensor, list[MemoryFrame | Tensor]]:
    ranking = None if memory.ranking is None else memory.ranking.to(storage)
    memory = replace(memory, features=memory.features.to(storage), tokens=memory.tokens.to(storage), ranking=ranking)
    return _as_map(memory), [memory, positions[-1]]


def _as_map(memory: MemoryFrame) -> Tensor:
    """(1, M, kept, 1), the shape that upstream flattens."""
    return memory.features.T[None, :, :, None]
