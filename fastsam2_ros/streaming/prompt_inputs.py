"""Prompts as SAM 2 takes them: in pixels of the encoder's image, on its device."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F
from torch import Tensor


def point_inputs(
    points: Tensor, labels: Tensor, size: tuple[int, int], side: int, device: torch.device
) -> dict[str, Tensor]:
    """Points for SAM 2's heads.

    Args:
        points: float32 (n, P, 2), x and y in pixels of a frame of `size`.
        labels: int32 (n, P), SAM's.
        size: (H, W), pixels.
        side: of the encoder's image, pixels.
        device: SAM 2's.
    """
    height, width = size
    scaled = points / torch.tensor([width, height], device=points.device) * side
    return {"point_coords": scaled.to(device), "point_labels": labels.to(device)}


def mask_input(mask: npt.NDArray[np.bool_], side: int, device: torch.device) -> Tensor:
    """A mask, bool (H, W): float32 (1, 1, side, side), 0 or 1, resized as upstream's `add_new_mask` does.

    One that is too small for that covers the cell of the low resolution in which its middle lies.
    """
    resized = torch.from_numpy(mask)[None, None].float().to(device)
    if mask.shape != (side, side):
        resized = F.interpolate(resized, size=(side, side), mode="bilinear", align_corners=False, antialias=True)
        resized = (resized >= 0.5).float()
    low_res = F.interpolate(resized, scale_factor=0.25, mode="bilinear", align_corners=False, antialias=True)
    if not (low_res > 0.5).any():
        (top, left), (height, width) = np.argwhere(mask).mean(0), mask.shape
        row, column = (4 * int(at * side / 4) for at in ((top + 0.5) / height, (left + 0.5) / width))
        resized[..., row : row + 4, column : column + 4] = 1
    return resized
