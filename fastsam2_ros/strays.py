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
LARGE_PART = 0.2
"""Of a mask that lies in several places, a part as a share of the largest, from which on others may lie beside it."""
MARGIN = 0.05
"""How far from where it was a target is looked for, beside its motion: the square root of its area times this."""


def without_strays(decoded: Decoded, before: Sequence[Tensor | None], motion: Motion, size: tuple[int, int]) -> Decoded:
    """Masks without the parts that lie apart from where the target was, where it is whole there.

    Args:
        decoded: of a frame.
        before: by target, its mask logits in the last frame, (1, h, w); None where it was not seen for certain.
        motion: since then; `Motion.displacements` are of the same targets, and where one is None, nothing is left out.
        size: (H, W) of the frame.
    """
    inside = (decoded.low_res[:, 0] > 0).cpu().numpy()
    low_res, high_res = decoded.low_res.clone(), decoded.high_res.clone()
    left_out = False
    for row, (mask, displacement) in enumerate(zip(before, motion.displacements, strict=True)):
        if mask is None or displacement is None:
            continue
        strays = _strays(inside[row], mask, motion.camera, displacement, size)
        if strays is not None:
            left_out = True
            low_res[row, 0][torch.from_numpy(strays).to(low_res.device)] = NO_OBJ_SCORE
            # As upstream makes it of the other: nothing is left along the edge of what was left out.
            high_res[row] = F.interpolate(low_res[row][None], high_res.shape[2:], mode="bilinear", align_corners=False)[
                0
            ]
    return replace(decoded, low_res=low_res, high_res=high_res) if left_out else decoded


def _strays(
    inside: npt.NDArray[np.bool_],
    before: Tensor,
    camera: npt.NDArray[np.float64],
    displacement: float,
    size: tuple[int, int],
) -> npt.NDArray[np.bool_] | None:
    """Of one mask, bool (h, w); None where there are none. displacement: in diagonals of the frame, whose size is (H, W)."""
    count, parts = cv2.connectedComponents(inside.view(np.uint8))
    last = before > 0
    area = float(last.sum())
    if count <= 2 or not area:
        return None
    was = (moved(last[None].float(), camera)[0, 0] > 0.5).cpu().numpy()
    near = _near(_large_parts(was), displacement, size)
    own = np.bincount(parts[near], minlength=count) >= OWN * np.bincount(parts.ravel(), minlength=count)
    found = own[parts] & inside
    strays = inside & ~found
    return strays if strays.any() and found.sum() >= WHOLE * area else None


def _large_parts(mask: npt.NDArray[np.bool_]) -> npt.NDArray[np.bool_]:
    """A mask, bool (h, w), without its small parts: what clings to a look-alike must not lead to the whole of it."""
    _, parts, stats, _ = cv2.connectedComponentsWithStats(mask.view(np.uint8))
    areas = stats[:, cv2.CC_STAT_AREA]
    large = areas >= LARGE_PART * areas[1:].max(initial=0)
    large[0] = False  # beside the mask
    return np.asarray(large[parts], np.bool_)


def _near(was: npt.NDArray[np.bool_], displacement: float, size: tuple[int, int]) -> npt.NDArray[np.bool_]:
    """Within reach of a mask, bool (h, w), in a frame of size (H, W)."""
    rows, columns = was.shape
    # In cells as high as they are wide: masks are square, and frames are not.
    high = max(1, round(columns * size[0] / size[1]))
    square = cv2.resize(was.view(np.uint8), (columns, high), interpolation=cv2.INTER_NEAREST)
    distance = cv2.distanceTransform(1 - square, cv2.DIST_L2, 5)
    reach = MARGIN * float(square.sum()) ** 0.5 + displacement * float(np.hypot(*size)) * columns / size[1]
    near = (distance <= reach).view(np.uint8)
    return cv2.resize(near, (columns, rows), interpolation=cv2.INTER_NEAREST) > 0
