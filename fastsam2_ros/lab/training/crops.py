"""Crops of things as `Clip.embed_crops` cuts them."""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

from fastsam2_ros.language.clip import CROP_CONTEXT

MEAN_COLOUR = (124, 116, 104)
"""ImageNet's mean, which is what crops are padded with."""


def square_crop(
    frame: npt.NDArray[np.uint8],
    box: tuple[float, float, float, float],
    side: int,
    beyond: int | tuple[int, int, int] = MEAN_COLOUR,
) -> npt.NDArray[np.uint8]:
    """A box's square with some surroundings, as `Clip.embed_crops` cuts it: uint8 (side, side) or (side, side, 3).

    Args:
        frame: uint8 (H, W) or (H, W, 3).
        box: x, y, width, height, pixels.
        side: of the result, pixels.
        beyond: what lies beyond the frame.
    """
    x, y, width, height = box
    extent = max(1.0, CROP_CONTEXT * max(width, height))
    scale = side / extent
    left, top = x + width / 2 - extent / 2, y + height / 2 - extent / 2
    matrix = np.array([[scale, 0, -left * scale + (scale - 1) / 2], [0, scale, -top * scale + (scale - 1) / 2]])
    if scale < 0.6:  # or else the thing would be sampled too sparsely
        half = cv2.resize(frame, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA)
        return square_crop(np.asarray(half, np.uint8), (x / 2, y / 2, width / 2, height / 2), side, beyond)
    crop = cv2.warpAffine(
        frame, matrix, (side, side), flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_CONSTANT, borderValue=beyond
    )
    return np.asarray(crop, np.uint8)
