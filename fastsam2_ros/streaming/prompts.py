"""What a target is started with: points, a box, or a mask, in pixels of the frame; and the same as SAM 2 takes it."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F
from torch import Tensor

from fastsam2_ros.errors import InputError
from fastsam2_ros.results import Box

POSITIVE, NEGATIVE, BOX_FIRST, BOX_SECOND, PADDING = 1, 0, 2, 3, -1
"""SAM's labels of points: on the object, beside it, a box's upper left and lower right corner, and none at all."""


@dataclass(frozen=True)
class Prompt:
    """Points with SAM's labels, or a mask.

    Attributes:
        points: float32, (P, 2), x and y in pixels of the frame; empty where a mask is given.
        labels: int32, (P,): 1 on the object, 0 beside it, 2 and 3 the upper left and lower right corner of a box.
        mask: bool, (H, W) of the frame, or None.
    """

    points: npt.NDArray[np.float32]
    labels: npt.NDArray[np.int32]
    mask: npt.NDArray[np.bool_] | None = None

    @classmethod
    def from_box(cls, box: Box) -> Prompt:
        """A box, which should have passed `clip_box`."""
        x, y, width, height = box
        corners = np.array([[x, y], [x + width, y + height]], np.float32)
        return cls(corners, np.array([BOX_FIRST, BOX_SECOND], np.int32))

    @classmethod
    def from_mask(cls, mask: npt.NDArray[np.bool_]) -> Prompt:
        """A mask (H, W) of the frame's size."""
        return cls(np.zeros((0, 2), np.float32), np.zeros(0, np.int32), np.asarray(mask, bool))


def check_box(box: Box) -> None:
    """Raise `InputError` where a box is not finite or has no area."""
    if len(box) != 4 or not all(math.isfinite(value) for value in box):
        raise InputError(f"The box {tuple(box)} is not four finite numbers; give x, y, width and height in pixels.")
    if box[2] <= 0 or box[3] <= 0:
        raise InputError(f"The box {tuple(box)} has no area; width and height must be above 0.")


def clip_box(box: Box, size: tuple[int, int]) -> Box:
    """The part of a box that lies in a frame of size (H, W).

    Raises:
        InputError: not a box, or no part of it in the frame.
    """
    check_box(box)
    height, width = size
    left, top = max(0.0, box[0]), max(0.0, box[1])
    right, bottom = min(float(width), box[0] + box[2]), min(float(height), box[1] + box[3])
    if right <= left or bottom <= top:
        raise InputError(f"The box {tuple(box)} lies outside the frame, which is {width} x {height} pixels.")
    return left, top, right - left, bottom - top


def box_mask(box: Box, size: tuple[int, int]) -> npt.NDArray[np.bool_]:
    """bool (H, W): the pixels that a box touches, which has passed `clip_box`."""
    left, top, width, height = box
    mask = np.zeros(size, bool)
    mask[math.floor(top) : math.ceil(top + height), math.floor(left) : math.ceil(left + width)] = True
    return mask


def check_mask(mask: npt.NDArray[np.bool_]) -> None:
    """Raise `InputError` where this is no bool array (H, W), or nothing in it is set."""
    if not isinstance(mask, np.ndarray) or mask.dtype != np.bool_ or mask.ndim != 2:
        what = f"{mask.dtype} {mask.shape}" if isinstance(mask, np.ndarray) else type(mask).__name__
        raise InputError(f"A mask must be a bool array (H, W); this is {what}.")
    if not mask.any():
        raise InputError("The mask is empty: it says of no pixel that it is the target's.")


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
