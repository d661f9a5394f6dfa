"""Token scores that know nothing: the baseline of every router."""

from __future__ import annotations

import torch
from torch import Tensor


class RandomScores:
    """Scores that know nothing, new ones each time; the same from the same seed, on every device."""

    cues: tuple[str, ...] = ()

    def __init__(self, seed: int = 0) -> None:
        self._generator = torch.Generator().manual_seed(seed)

    def __call__(self, maps: Tensor) -> Tensor:
        """See `pruning.router.Scorer`."""
        return torch.rand(len(maps), maps.shape[2], generator=self._generator).to(maps.device)
