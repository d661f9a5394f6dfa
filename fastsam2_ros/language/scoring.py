"""How good a candidate mask is, before CLIP looks at it."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import torch
import torch.nn.functional as F
from torch import Tensor

from fastsam2_ros.results import Box

LARGEST_MASK = 0.95
"""A mask that covers more of the frame than this is the frame, not an object."""
SAME_MASK = 0.8
"""Masks whose IoU is above this are one and the same."""
PART_OF = 0.5
"""A mask of which a larger share lies in another is a part of it."""

LARGE_PART = 0.3
"""Of a mask that lies in two places, the smaller part as a share of the larger one, from which on it is two things."""


@dataclass(frozen=True)
class Quality:
    """Of m masks.

    Attributes:
        usable: bool (m,): finite, not empty, and not nearly the whole frame.
        score: float32 (m,), [0, 1]: predicted IoU times the square root of the mask's overlap with what is relevant.
    """

    usable: Tensor
    score: Tensor


def quality(logits: Tensor, predicted_iou: Tensor, relevance: Tensor) -> Quality:
    """Judge masks by themselves and by the relevance map.

    Args:
        logits: (m, h, w) over the whole frame.
        predicted_iou: (m,).
        relevance: (rows, columns) over the whole frame, [0, 1].
    """
    finite = torch.isfinite(logits).flatten(1).all(1)
    logits = torch.nan_to_num(logits.float())
    masks = (logits > 0).float()
    area = masks.flatten(1).mean(1)
    usable = finite & (area > 0) & (area <= LARGEST_MASK)

    # (m, rows, columns): mask's share of each token. Its overlap with the relevance is a soft intersection over union: what
    # is a part of the relevant place has little of it, and so has what goes beyond.
    share = F.adaptive_avg_pool2d(masks[:, None], (relevance.shape[0], relevance.shape[1]))[:, 0]
    relative = relevance / relevance.max().clamp(min=1e-6)
    common = (share * relative).sum((1, 2))
    overlap = common / (share.sum((1, 2)) + relative.sum() - common).clamp(min=1e-6)

    iou = torch.nan_to_num(predicted_iou.float(), nan=0.0).clamp(0, 1)
    return Quality(usable, iou * overlap.clamp(0, 1).sqrt())


def distinct(logits: Tensor, order: list[int], limit: int) -> list[int]:
    """The first masks in `order` that differ from all before them, at most `limit`."""
    kept: list[int] = []
    for index in order:
        if all(mask_iou(logits[index], logits[other]) <= SAME_MASK for other in kept):
            kept.append(index)
            if len(kept) == limit:
                break
    return kept


def parts_apart(logits: Tensor) -> list[Tensor]:
    """The two largest parts of a mask, logits (h, w), as masks of that form, where they lie apart and either is large.

    SAM 2 draws one mask over look-alikes that stand side by side; a thing that something covers in the middle is rare.
    """
    inside = (logits > 0).byte().cpu().numpy()
    _, labels, stats, _ = cv2.connectedComponentsWithStats(inside)
    areas = stats[1:, cv2.CC_STAT_AREA]
    largest = (-areas).argsort()[:2]
    if len(largest) < 2 or areas[largest[1]] < LARGE_PART * areas[largest[0]]:
        return []
    return [torch.from_numpy(labels == part + 1).to(logits) for part in largest]


def mask_iou(first: Tensor, second: Tensor) -> float:
    """Intersection over union of two masks given as logits (h, w); 0 where both are empty."""
    a, b = first > 0, second > 0
    return float((a & b).sum() / (a | b).sum().clamp(min=1))


def mask_overlap(first: Tensor, second: Tensor) -> float:
    """Intersection over the smaller of two masks given as logits (h, w); 0 where one is empty."""
    a, b = first > 0, second > 0
    return float((a & b).sum() / torch.minimum(a.sum(), b.sum()).clamp(min=1))


def mask_box(logits: Tensor, size: tuple[int, int]) -> Box:
    """The tight box of a mask that is not empty, in pixels of the frame of `size` (H, W) that it covers."""
    mask = logits > 0
    rows, columns = (torch.nonzero(mask.any(dim)).flatten() for dim in (1, 0))
    scale_y, scale_x = size[0] / mask.shape[0], size[1] / mask.shape[1]
    top, left = int(rows[0]) * scale_y, int(columns[0]) * scale_x
    return left, top, (int(columns[-1]) + 1) * scale_x - left, (int(rows[-1]) + 1) * scale_y - top
