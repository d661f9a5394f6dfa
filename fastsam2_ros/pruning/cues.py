"""What speaks for a token: pure functions on the token grid, each giving (targets, N) in [0, 1].

The three cues are those of arXiv 2512.21333 - local visual context, relevance to the text, uncertainty - and the last mask
as a prior. Text relevance comes from `language.relevance`.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F
from torch import Tensor

from fastsam2_ros.streaming.warp import moved

Grid = tuple[int, int]


def mask_prior(low_res: Tensor, grid: Grid, camera: npt.NDArray[np.float64], dilation: float) -> Tensor:
    """Where the targets should be: the last masks, moved with the camera and dilated.

    Args:
        low_res: float, (targets, 1, h, w), mask logits of the last frame.
        grid: (gh, gw) of the tokens.
        camera: (2, 3), `Motion.camera`.
        dilation: how far a target may have moved, as a share of the frame's diagonal.

    Returns:
        float32, (targets, N): the mask's probability, then falling with distance to 0 at the edge of the dilation.
    """
    probability = F.adaptive_max_pool2d(low_res.float().sigmoid(), grid)  # one pixel of a mask is enough for its token
    probability = moved(probability, camera)
    # Always one token more: the mask's border lies between tokens, and it is what must be decided anew.
    radius = 1 + min(max(grid), round(dilation * (grid[0] ** 2 + grid[1] ** 2) ** 0.5))
    prior = spread = probability
    for ring in range(1, radius + 1):
        spread = F.max_pool2d(spread, 3, stride=1, padding=1)
        prior = torch.maximum(prior, spread * (1 - ring / (radius + 1)))
    return prior.flatten(1)


def local_context(tokens: Tensor, grid: Grid) -> Tensor:
    """How a token differs from its neighbourhood: 1 minus the cosine to the mean of the eight around it and itself.

    Args:
        tokens: (N, C).

    Returns:
        float32, (1, N), scaled to [0, 1] over the frame; all zero on a uniform frame.
    """
    unit = F.normalize(tokens.float(), dim=1)
    grid_map = unit.T.reshape(1, -1, *grid)
    mean = F.avg_pool2d(grid_map, 3, stride=1, padding=1, count_include_pad=False)
    contrast = 1 - F.cosine_similarity(grid_map, mean, dim=1).flatten(1)
    return _scaled(contrast)


def appearance(tokens: Tensor, prototypes: Tensor) -> Tensor:
    """How a token looks like the target: cosine to its remembered mean token, negative ones cut to 0.

    Args:
        tokens: (N, C).
        prototypes: (targets, C), see `prototype`; a zero row gives zeros.

    Returns:
        float32, (targets, N), [0, 1].
    """
    return (F.normalize(prototypes.float(), dim=1) @ F.normalize(tokens.float(), dim=1).T).clamp(0, 1)


def prototype(tokens: Tensor, low_res: Tensor, grid: Grid) -> Tensor:
    """Mean token inside each mask, (targets, C); zeros for an empty mask."""
    weight = F.adaptive_avg_pool2d((low_res > 0).float(), grid).flatten(1)  # (targets, N)
    return weight @ tokens.float() / weight.sum(1, keepdim=True).clamp_min(1e-6)


def uncertainty(low_res: Tensor, score: Tensor, tokens: Tensor, grid: Grid) -> Tensor:
    """Where the last mask was undecided, and how little the decoder trusts it.

    Entropy of the mask's probability, mean over each token, plus - as far as the whole target is doubted - the variance
    of the token's features, so that a doubted target is looked for where there is structure.

    Args:
        low_res: float, (targets, 1, h, w), logits.
        score: (targets,), [0, 1], visibility times predicted IoU.
        tokens: (N, C).

    Returns:
        float32, (targets, N), [0, 1].
    """
    probability = low_res.float().sigmoid().clamp(1e-6, 1 - 1e-6)
    entropy = -(probability * probability.log2() + (1 - probability) * (1 - probability).log2())
    undecided = F.adaptive_avg_pool2d(entropy, grid).flatten(1)
    doubt = 1 - score.float().clamp(0, 1)[:, None]
    variance = _scaled(tokens.float().var(dim=1)[None])
    return torch.maximum(undecided, doubt * variance)


def _scaled(values: Tensor) -> Tensor:
    """Rows shifted and scaled to [0, 1]; rows without any spread become zero."""
    low, high = values.amin(1, keepdim=True), values.amax(1, keepdim=True)
    return (values - low) / (high - low).clamp_min(1e-6)
