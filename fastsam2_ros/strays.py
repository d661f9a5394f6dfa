"""What a mask lies on apart from its target: a look-alike, into which masks spread where they are not held back."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import cv2
import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F
from sam2.modeling.sam2_base import NO_OBJ_SCORE
from torch import Tensor

from fastsam2_ros.pruning.motion import Motion
from fastsam2_ros.streaming.values import Decoded
from fastsam2_ros.streaming.warp import moved

WHOLE = 0.8
"""Of the target's area in the last frame that has to be found where it was, for what lies elsewhere to be another thing: one
that comes out on the far side of what covers it lies in two places too, but is not whole in either.
"""
OWN = 0.5
"""Of a part that lies within reach of where the target was, from which on it is the target's."""
MARGIN = 0.05
"""How far from where it was a target is looked for, beside its motion: the square root of its area times this."""


def without_strays(decoded: Decoded, before: Sequence[Tensor | None], motion: Motion) -> Decoded:
    """Masks without the parts that lie apart from where the target was, where it is whole there.

    Args:
        decoded: of a frame.
        before: by target, its mask logits in the last frame, (1, h, w); None where it was not seen for certain.
        motion: since then; `Motion.displacements` are of the same targets.
    """
    inside = (decoded.low_res[:, 0] > 0).cpu().numpy()
    strays = [
        None if each is None else _strays(now, each, motion, displacement or 0.0)
        for now, each, displacement in zip(inside, before, motion.displacements, strict=True)
    ]
    if all(each is None for each in strays):
        return decoded
    dropped = torch.from_numpy(np.stack([np.zeros_like(inside[0]) if each is None else each for each in strays]))
    low = dropped[:, None].to(decoded.low_res.device)
    high = F.interpolate(low.float(), decoded.high_res.shape[2:], mode="nearest") > 0
    absent = decoded.low_res.new_tensor(NO_OBJ_SCORE)
    return replace(decoded, low_res=decoded.low_res.where(~low, absent), high_res=decoded.high_res.where(~high, absent))


def _strays(
    inside: npt.NDArray[np.bool_], before: Tensor, motion: Motion, displacement: float
) -> npt.NDArray[np.bool_] | None:
    """Of one mask, bool (h, w); None where there are none."""
    count, parts = cv2.connectedComponents(inside.view(np.uint8))
    if count <= 2:
        return None
    last = before > 0
    area = float(last.sum())
    was = (moved(last[None].float(), motion.camera)[0, 0] > 0.5).cpu().numpy()
    reach = round(MARGIN * area**0.5 + displacement * float(np.hypot(*inside.shape)))
    near = cv2.dilate(was.view(np.uint8), cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * reach + 1, 2 * reach + 1)))
    sizes = np.bincount(parts.ravel(), minlength=count)
    own = np.bincount(parts[near > 0], minlength=count) >= OWN * sizes
    found = own[parts] & inside
    if not area or found.sum() < WHOLE * area:
        return None
    strays = inside & ~found
    return strays if strays.any() else None
