"""Local visual context: what stands out of its neighbourhood, and where edges run."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from fastsam2_ros.pruning.cues.grid import scaled
from fastsam2_ros.streaming.values import Grid


def local_context(tokens: Tensor, grid: Grid) -> Tensor:
    """Mean of contrast and edge energy, each scaled to [0, 1] over the frame.

    Contrast is 1 minus the cosine between a token and the mean of itself and the eight around it; edge energy is the root
    mean square distance of its direction from those of the four beside it. Texture that is fine and even has the second
    alone.

    Args:
        tokens: (N, C).
        grid: of the tokens.

    Returns:
        float32, (1, N); all zero on a uniform frame.
    """
    directions = F.normalize(tokens.float(), dim=1).T.reshape(1, -1, *grid)
    mean = F.avg_pool2d(directions, 3, stride=1, padding=1, count_include_pad=False)
    contrast = 1 - F.cosine_similarity(directions, mean, dim=1)
    wide = F.pad(directions, (1, 1, 1, 1), mode="replicate")
    beside = (wide[..., 1:-1, 2:], wide[..., 1:-1, :-2], wide[..., 2:, 1:-1], wide[..., :-2, 1:-1])
    squares = torch.stack([(directions - other).square().sum(1) for other in beside])
    edges = squares.mean(0).sqrt()
    return (scaled(contrast.flatten(1)) + scaled(edges.flatten(1))) / 2
