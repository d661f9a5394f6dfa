"""Small parts of a mask far from its main part, where nothing of the target was before: they are no part of it."""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F
from sam2.modeling.sam2_base import NO_OBJ_SCORE
from torch import Tensor

from fastsam2_ros.streaming.values import Decoded

STRAY_SHARE = 0.2
"""A part may be a stray where it covers less than this share of the mask's largest part."""


def without_strays(decoded: Decoded, expected: Tensor) -> Decoded:
    """Masks without their strays: connected parts that are small and touch nothing of where the target may be.

    Args:
        decoded: masks of one frame.
        expected: float, (targets, rows, columns) over the whole frame, above 0 where the target may be: the last mask,
            moved and dilated (`pruning.cues.mask_prior`).
    """
    strays = torch.from_numpy(_strays(decoded.low_res[:, 0] > 0, expected > 0)).to(decoded.low_res.device)[:, None]
    if not strays.any():
        return decoded
    fine = F.interpolate(strays.float(), decoded.high_res.shape[2:], mode="nearest") > 0
    return replace(
        decoded,
        low_res=decoded.low_res.masked_fill(strays, NO_OBJ_SCORE),
        high_res=decoded.high_res.masked_fill(fine, NO_OBJ_SCORE),
    )


def _strays(masks: Tensor, expected: Tensor) -> npt.NDArray[np.bool_]:
    """bool (targets, h, w), of masks of that shape."""
    size = masks.shape[2], masks.shape[1]
    strays = np.zeros(tuple(masks.shape), bool)
    pairs = zip(masks.cpu().numpy().astype(np.uint8), expected.cpu().numpy().astype(np.uint8), strict=True)
    for stray, (mask, place) in zip(strays, pairs, strict=True):
        count, parts, stats, _ = cv2.connectedComponentsWithStats(mask)
        if count > 2:  # The first is the background.
            areas = stats[:, cv2.CC_STAT_AREA]
            near = cv2.resize(place, size, interpolation=cv2.INTER_NEAREST) > 0
            touching = np.bincount(parts[near], minlength=count) > 0
            small = areas < STRAY_SHARE * areas[1:].max()
            small[0] = False
            stray[:] = (small & ~touching)[parts]
    return strays
