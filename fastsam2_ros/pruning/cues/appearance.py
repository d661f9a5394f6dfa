"""The target's own remembered look."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor

from fastsam2_ros.streaming.values import Grid


def appearance(tokens: Tensor, prototypes: Tensor) -> Tensor:
    """How a token looks like the target: cosine to its remembered mean token, negative ones cut to 0.

    Both are centred on the frame's mean token, since all tokens share a large common part.

    Args:
        tokens: (N, C).
        prototypes: (targets, C), see `prototype`; a zero row, of a target whose looks are not known, gives zeros.

    Returns:
        float32, (targets, N), [0, 1].
    """
    tokens, prototypes = tokens.float(), prototypes.float()
    mean = tokens.mean(0)
    known = prototypes.any(1, keepdim=True)
    looks = F.normalize((prototypes - mean) * known, dim=1)
    return (looks @ F.normalize(tokens - mean, dim=1).T).clamp(0, 1)


def prototype(tokens: Tensor, low_res: Tensor, grid: Grid) -> Tensor:
    """The mean token inside each mask.

    Args:
        tokens: (N, C).
        low_res: float, (targets, 1, h, w), mask logits of the same frame.
        grid: of the tokens.

    Returns:
        float32, (targets, C); zeros for an empty mask.
    """
    weight = F.adaptive_avg_pool2d((low_res > 0).float(), grid).flatten(1)  # (targets, N)
    return weight @ tokens.float() / weight.sum(1, keepdim=True).clamp_min(1e-6)
