"""Rotary positions for any subset of the token grid.

Upstream's `RoPEAttention` derives positions from the *number* of tokens and silently gives wrong ones to most counts that
are not a full square grid. Here the angles of the full grid are made once and gathered by token index.
"""

from __future__ import annotations

import torch
from sam2.modeling.memory_attention import MemoryAttention
from torch import Tensor


class RotaryTable:
    """Axial rotary angles of a (height, width) token grid, as `sam2.modeling.position_encoding.compute_axial_cis` has them.

    Attributes:
        angles: complex64, (height * width, head_dim / 2), unit length: cos + i sin.
    """

    def __init__(self, grid: tuple[int, int], head_dim: int, theta: float, device: torch.device) -> None:
        height, width = grid
        frequencies = 1.0 / (theta ** (torch.arange(0, head_dim, 4)[: head_dim // 4].float() / head_dim))
        index = torch.arange(height * width, dtype=torch.float32)
        x, y = index % width, torch.div(index, width, rounding_mode="floor")
        phases = torch.cat([torch.outer(x, frequencies), torch.outer(y, frequencies)], dim=-1)
        self.angles = torch.polar(torch.ones_like(phases), phases).to(device)

    @classmethod
    def of(cls, attention: MemoryAttention, grid: tuple[int, int], device: torch.device) -> RotaryTable:
        """The table that this memory attention was trained with."""
        layer = attention.layers[0].self_attn
        return cls(grid, layer.internal_dim // layer.num_heads, layer.compute_cis.keywords["theta"], device)

    def at(self, tokens: Tensor) -> Tensor:
        """Angles of these tokens.

        Args:
            tokens: int64, (targets, count), indices into the row-major grid.

        Returns:
            complex64, (targets, 1, count, head_dim / 2); the second axis is for attention heads.
        """
        return self.angles[tokens].unsqueeze(1)

    def all(self) -> Tensor:
        """Angles of the whole grid: complex64, (1, 1, height * width, head_dim / 2)."""
        return self.angles[None, None]


def rotate(vectors: Tensor, angles: Tensor) -> Tensor:
    """Rotate consecutive pairs of channels by the angles of their token.

    Args:
        vectors: float, (targets, heads, count, head_dim).
        angles: complex64, broadcastable to (targets, heads, count, head_dim / 2).

    Returns:
        shape and dtype of `vectors`.
    """
    pairs = torch.view_as_complex(vectors.float().reshape(*vectors.shape[:-1], -1, 2))
    return torch.view_as_real(pairs * angles).flatten(3).type_as(vectors)
