"""J, F and their statistics, as davis2017-evaluation (v0.1) defines them.

J and F are those of Perazzi et al., "A Benchmark Dataset and Evaluation Methodology for Video Object Segmentation",
CVPR 2016; contours follow the Berkeley segmentation benchmark's rule.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from fastsam2_ros.errors import InputError

Mask = npt.NDArray[np.bool_]

CONTOUR_TOLERANCE = 0.008
"""How far a contour may lie from the true one, as a share of the frame's diagonal."""
RECALL_THRESHOLD = 0.5
DECAY_BINS = 4


@dataclass(frozen=True)
class Statistics:
    """What is reported of J or F over the frames of one object.

    Attributes:
        mean: [0, 1].
        recall: share of frames above .5, [0, 1].
        decay: mean of the first quarter less that of the last; above 0 where quality is lost over time.

    All are NaN where there are no frames.
    """

    mean: float
    recall: float
    decay: float


def region_similarity(truth: Mask, result: Mask, void: Mask | None = None) -> float:
    """J: intersection over union, [0, 1]; 1 where both masks are empty.

    Args:
        truth: bool (H, W).
        result: bool (H, W).
        void: bool (H, W), pixels that do not count; None: all count.

    Raises:
        InputError: masks of different sizes.
    """
    truth, result = _counted(truth, result, void)
    union = int(np.count_nonzero(truth | result))
    return int(np.count_nonzero(truth & result)) / union if union else 1.0


def contour_accuracy(truth: Mask, result: Mask, void: Mask | None = None) -> float:
    """F: harmonic mean of the precision and recall of contour pixels, [0, 1]; 1 where both masks are without contour.

    A contour pixel is right where the other contour passes within a disk, whose radius is `CONTOUR_TOLERANCE` times the
    diagonal, rounded up.

    Args:
        truth: bool (H, W).
        result: bool (H, W).
        void: bool (H, W), pixels that belong to neither mask; None: there are none.

    Raises:
        InputError: masks of different sizes.
    """
    radius = math.ceil(CONTOUR_TOLERANCE * math.hypot(*truth.shape))
    truth, result = _counted(truth, result, void)
    true_contour, contour = boundary(truth), boundary(result)
    if not true_contour.any() or not contour.any():
        return float(not true_contour.any() and not contour.any())
    # Nothing outside the box of both contours has a part in it.
    inside = _box(true_contour | contour)
    true_contour, contour = true_contour[inside], contour[inside]
    precision = np.mean(_near(true_contour, radius)[contour])
    recall = np.mean(_near(contour, radius)[true_contour])
    return float(2 * precision * recall / (precision + recall)) if precision + recall else 0.0


def boundary(mask: Mask) -> Mask:
    """The contour of a mask, bool (H, W): pixels that differ from their right, lower or lower right neighbour.

    In the last column and row only the neighbour inside the frame counts; the last pixel is never part of it.
    """
    contour = np.zeros_like(mask)
    right, below = mask[:, :-1] ^ mask[:, 1:], mask[:-1] ^ mask[1:]
    contour[:, :-1] |= right
    contour[:-1] |= below
    contour[:-1, :-1] |= mask[:-1, :-1] ^ mask[1:, 1:]
    return contour


def statistics(values: Sequence[float]) -> Statistics:
    """Mean, recall and decay of J or F over frames in their order.

    The decay's bins share their edges, which are rounded half up.
    """
    if not len(values):
        return Statistics(math.nan, math.nan, math.nan)
    array = np.asarray(values, float)
    edges = np.floor(np.linspace(0, len(array) - 1, DECAY_BINS + 1) + 0.5 + 1e-10).astype(int)
    first, last = array[: edges[1] + 1], array[edges[-2] :]
    return Statistics(float(array.mean()), float(np.mean(array > RECALL_THRESHOLD)), float(first.mean() - last.mean()))


def _counted(truth: Mask, result: Mask, void: Mask | None) -> tuple[Mask, Mask]:
    if truth.shape != result.shape or (void is not None and void.shape != truth.shape):
        shapes = " and ".join(str(each.shape) for each in (truth, result, void) if each is not None)
        raise InputError(f"Masks of different sizes cannot be compared: {shapes} (height, width).")
    return (truth, result) if void is None else (truth & ~void, result & ~void)


def _near(contour: Mask, radius: int) -> Mask:
    """Pixels within `radius` of a contour: dilation by a disk, whose points satisfy x^2 + y^2 <= radius^2."""
    reach = np.arange(-radius, radius + 1)
    disk = (reach[:, None] ** 2 + reach**2 <= radius**2).astype(np.uint8)
    return cv2.dilate(contour.view(np.uint8), disk).view(bool)


def _box(mask: Mask) -> tuple[slice, slice]:
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    return slice(rows[0], rows[-1] + 1), slice(columns[0], columns[-1] + 1)
