"""What the cues share: one scale."""

from __future__ import annotations

from torch import Tensor


def scaled(values: Tensor) -> Tensor:
    """Rows shifted and scaled to [0, 1]; rows without any spread become zero."""
    low, high = values.amin(1, keepdim=True), values.amax(1, keepdim=True)
    return (values - low) / (high - low).clamp_min(1e-6)
