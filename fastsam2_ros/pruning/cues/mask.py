"""The last mask as a prior, moved with the camera and dilated by how far a target may have moved."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F
from torch import Tensor

from fastsam2_ros.streaming.values import Grid
from fastsam2_ros.streaming.warp import STILL, moved


def mask_prior(
    low_res: Tensor, grid: Grid, camera: npt.NDArray[np.float64] = STILL, displacements: Sequence[float] = ()
) -> Tensor:
    """Where the targets should be.

    Args:
        low_res: float, (targets, 1, h, w), mask logits of the last frame.
        grid: of the tokens.
        camera: (2, 3), `Motion.camera`.
        displacements: how far each target may have moved besides, as a share of the frame's diagonal; none: not at all.

    Returns:
        float32, (targets, N): the mask's probability, then falling with distance to 0 at the edge of the dilation.
    """
    probability = F.adaptive_max_pool2d(low_res.float().sigmoid(), grid)  # one pixel of a mask is enough for its token
    probability = moved(probability, camera)
    diagonal = (grid[0] ** 2 + grid[1] ** 2) ** 0.5
    # Always one token more: the mask's border lies between tokens, and it is what must be decided anew.
    radii = [1 + min(max(grid), round(share * diagonal)) for share in displacements or [0.0] * len(probability)]
    rows = [_dilated(row, radius) for row, radius in zip(probability, radii, strict=True)]
    return torch.stack(rows).flatten(1) if rows else probability.flatten(1)


def _dilated(prior: Tensor, radius: int) -> Tensor:
    spread = prior
    for ring in range(1, radius + 1):
        spread = F.max_pool2d(spread, 3, stride=1, padding=1)
        prior = torch.maximum(prior, spread * (1 - ring / (radius + 1)))
    return prior
