"""A map of the last frame, moved to where the camera's motion has put it in this one."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F
from torch import Tensor

STILL: npt.NDArray[np.float64] = np.eye(2, 3)
"""`Motion.camera` of a camera at rest."""


def moved(grid_map: Tensor, camera: npt.NDArray[np.float64], outside: str = "zeros") -> Tensor:
    """Sample a map of the last frame where the background is now.

    Args:
        grid_map: float, (B, C, gh, gw), covering the frame.
        camera: (2, 3), `Motion.camera`.
        outside: what lies beyond the last frame: "zeros", or "border" for its nearest value.

    Returns:
        shape and dtype of `grid_map`; itself where the camera stood still.
    """
    if not len(grid_map) or np.allclose(camera, np.eye(2, 3), atol=1e-3):
        return grid_map
    full = np.vstack([camera, [0, 0, 1]])
    if abs(np.linalg.det(full)) < 1e-6:
        return grid_map
    # From shares of the frame, [0, 1], to grid_sample's [-1, 1], and from this frame back to the last one.
    to_share = np.array([[0.5, 0, 0.5], [0, 0.5, 0.5], [0, 0, 1]])
    back = np.linalg.inv(to_share) @ np.linalg.inv(full) @ to_share
    theta = torch.as_tensor(back[:2], dtype=grid_map.dtype, device=grid_map.device).expand(len(grid_map), -1, -1)
    where = F.affine_grid(theta, list(grid_map.shape), align_corners=False)
    return F.grid_sample(grid_map, where, padding_mode=outside, align_corners=False)
