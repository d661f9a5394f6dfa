"""Maps on the token grid: moved with the camera, and brought to one scale."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F
from torch import Tensor

Grid = tuple[int, int]
"""Rows and columns of the tokens."""

STILL: npt.NDArray[np.float64] = np.eye(2, 3)
"""`Motion.camera` of a camera at rest."""


def moved(grid_map: Tensor, camera: npt.NDArray[np.float64]) -> Tensor:
    """A map of the last frame, sampled where the background is now; 0 where it was outside the last frame.

    Args:
        grid_map: (targets, 1, rows, columns).
        camera: (2, 3), `Motion.camera`; one that cannot be inverted moves nothing.

    Returns:
        of the same shape.
    """
    if not len(grid_map) or np.allclose(camera, STILL, atol=1e-3):
        return grid_map
    full = np.vstack([camera, [0, 0, 1]])
    if abs(np.linalg.det(full)) < 1e-6:
        return grid_map
    # From shares of the frame, [0, 1], to grid_sample's [-1, 1], and from this frame back to the last one.
    to_share = np.array([[0.5, 0, 0.5], [0, 0.5, 0.5], [0, 0, 1]])
    back = np.linalg.inv(to_share) @ np.linalg.inv(full) @ to_share
    theta = torch.as_tensor(back[:2], dtype=grid_map.dtype, device=grid_map.device).expand(len(grid_map), -1, -1)
    where = F.affine_grid(theta, list(grid_map.shape), align_corners=False)
    return F.grid_sample(grid_map, where, align_corners=False)


def scaled(values: Tensor) -> Tensor:
    """Rows shifted and scaled to [0, 1]; rows without any spread become zero."""
    low, high = values.amin(1, keepdim=True), values.amax(1, keepdim=True)
    return (values - low) / (high - low).clamp_min(1e-6)
