"""What memories offer to memory attention: their tokens and object pointers, each with its place in space and time."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from sam2.modeling.sam2_base import SAM2Base
from sam2.modeling.sam2_utils import get_1d_sine_pe
from torch import Tensor

from fastsam2_ros.streaming.attention import Keys
from fastsam2_ros.streaming.memory import MemoryFrame, TargetMemory
from fastsam2_ros.streaming.rotary import RotaryTable


class MemoryKeys:
    """Makes keys of memories.

    Args:
        model: SAM 2.
        positions: (N, M), of memory tokens in their grid.
        rotary: of the same grid.
    """

    def __init__(self, model: SAM2Base, positions: Tensor, rotary: RotaryTable) -> None:
        self._model = model
        self._positions = positions
        self._rotary = rotary

    def of(self, memories: Sequence[TargetMemory], index: int) -> Keys:
        """Keys for frame `index`, from memories that have the same `layout` then."""
        frames = [memory.frames(index) for memory in memories]
        pointers = [memory.pointers(index) for memory in memories]
        tokens = torch.stack([torch.cat([frame.tokens for frame, _ in rows]) for rows in frames])
        spatial = torch.stack([torch.cat([frame.features for frame, _ in rows]) for rows in frames])
        positions = torch.stack([torch.cat([self._placed(*row) for row in rows]) for rows in frames])
        stacked = torch.stack([torch.stack([pointer for _, pointer in rows]) for rows in pointers])
        distances = torch.tensor([[distance for distance, _ in rows] for rows in pointers], device=tokens.device)
        split = self._model.hidden_dim // self._model.mem_dim
        pointer_tokens = stacked.unflatten(2, (split, self._model.mem_dim)).flatten(1, 2)  # (B, P * split, M)
        return Keys(
            torch.cat([spatial, pointer_tokens], dim=1),
            torch.cat([positions, self._pointer_positions(distances, split)], dim=1),
            self._rotary.at(tokens),
        )

    def _placed(self, frame: MemoryFrame, distance: int) -> Tensor:
        """Positions of a frame's tokens, (rows, M). Prompts have the last temporal encoding, the frame before the first."""
        return self._positions[frame.tokens] + self._model.maskmem_tpos_enc[distance - 1, 0]

    def _pointer_positions(self, distances: Tensor, split: int) -> Tensor:
        """Temporal encoding of object pointers, (targets, pointers * split, M)."""
        model = self._model
        if not model.add_tpos_enc_to_obj_ptrs:
            return distances.new_zeros(*distances.shape, model.mem_dim, dtype=torch.float32).repeat_interleave(split, 1)
        width = model.hidden_dim if model.proj_tpos_enc_in_obj_ptrs else model.mem_dim
        relative = distances / (model.max_obj_ptrs_in_encoder - 1)
        return model.obj_ptr_tpos_proj(get_1d_sine_pe(relative, dim=width)).repeat_interleave(split, dim=1)
