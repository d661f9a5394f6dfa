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

from fastsam2_ros.pruning.state import SETTLING_FRAMES, PruningState
from fastsam2_ros.streaming.values import Decoded
from fastsam2_ros.streaming.warp import moved

WHOLE = 0.8
"""Of the target's area when it was last seen in one place, that has to be in one place now for what lies elsewhere to be
another thing. One that comes out on the far side of what covers it lies in two places too, but is not whole in either.
"""
GROWTH = 2.0
"""A target's area becomes so many times as large or small in a second, at most: what grows faster has run into another thing,
and what shrinks faster is being covered.
"""
IN_ONE_PLACE = 0.9
"""Of a mask in its largest part, from which on it is in one place."""
SMALL, MARGIN, OWN = 0.1, 0.25, 0.5
"""A part beside the target is its own, such as a tail, where it is no larger than this share of its area, and lies no further
away than this share of the area's square root with this share of itself.
"""


def without_strays(decoded: Decoded, carried: Sequence[PruningState], camera: npt.NDArray[np.float64]) -> Decoded:
    """Masks without what lies apart from their targets, where these are whole and more than that is there.

    Args:
        decoded: of a frame.
        carried: of each target, as the last frame left it.
        camera: `Motion.camera` since then.
    """
    inside = (decoded.low_res[:, 0] > 0).cpu().numpy()
    low_res, high_res = decoded.low_res, decoded.high_res
    for row, each in enumerate(carried):
        if each.mask is None or each.since_found < SETTLING_FRAMES:
            continue
        strays = _strays(inside[row], each.mask, each.whole * inside[row].size, camera)
        if strays is not None:
            if low_res is decoded.low_res:
                low_res, high_res = low_res.clone(), high_res.clone()
            low_res[row, 0][torch.from_numpy(strays).to(low_res.device)] = NO_OBJ_SCORE
            # As upstream makes it of the other: nothing is left along the edge of what was left out.
            size = list(high_res.shape[2:])
            high_res[row] = F.interpolate(low_res[row : row + 1], size, mode="bilinear", align_corners=False)[0]
    return replace(decoded, low_res=low_res, high_res=high_res)


def whole_size(mask: Tensor, before: PruningState, seconds: float) -> float:
    """`PruningState.whole` after a frame in which the target was seen for certain.

    Args:
        mask: logits, (1, h, w).
        before: after that frame, but for what it is asked for.
        seconds: since the last frame.
    """
    inside = (mask[0] > 0).byte().cpu().numpy()
    _, _, stats, _ = cv2.connectedComponentsWithStats(inside)
    areas = stats[1:, cv2.CC_STAT_AREA]
    largest = areas.max(initial=0)
    if largest < IN_ONE_PLACE * max(areas.sum(), 1):
        return before.whole
    size = float(largest / inside.size)
    if not before.whole or before.since_found <= SETTLING_FRAMES:  # a prompt may be of a part, or empty
        return size
    change = GROWTH**seconds
    return min(max(size, before.whole / change), before.whole * change)


def _strays(
    inside: npt.NDArray[np.bool_], before: Tensor, whole: float, camera: npt.NDArray[np.float64]
) -> npt.NDArray[np.bool_] | None:
    """Of one mask, bool (h, w); None where there are none. whole: cells of the target when it was last in one place."""
    count, parts = cv2.connectedComponents(inside.view(np.uint8))
    if count <= 2 or not whole or inside.sum() <= whole:
        return None
    was = (moved((before > 0)[None].float(), camera)[0, 0] > 0.5).cpu().numpy()
    shared = np.bincount(parts[was], minlength=count)
    shared[0] = 0  # beside the mask
    if not shared.any():
        return None
    main = parts == shared.argmax()
    area = float(main.sum())
    if area < WHOLE * whole:
        return None
    distance = cv2.distanceTransform((~main).view(np.uint8), cv2.DIST_L2, 5)
    sizes = np.bincount(parts.ravel(), minlength=count)
    close = np.bincount(parts[distance <= MARGIN * area**0.5 + 1], minlength=count)
    own = (close >= OWN * sizes) & (sizes <= SMALL * area)
    own[shared.argmax()] = True
    strays = inside & ~own[parts]
    return strays if strays.any() else None
