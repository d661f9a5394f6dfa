"""The losses of SAM 2 ("Segment Anything in Images and Videos", arXiv 2408.00714, appendix on training).

The rule of the three masks is the paper's, and so are the weights (focal 20, dice 1, IoU 1, object score 1) but for that of
the focal loss: for short trainings from nothing, 5 leaves fewer masks empty at first. Of several masks only the
one with the least focal and dice loss is corrected, but every one learns to predict its own IoU.
"""

from __future__ import annotations

from dataclasses import dataclass, fields

import torch
import torch.nn.functional as F
from torch import Tensor

FOCAL_WEIGHT = 5.0
DICE_WEIGHT = 1.0
IOU_WEIGHT = 1.0
OBJECT_WEIGHT = 1.0
FOCAL_ALPHA = 0.25
FOCAL_GAMMA = 2.0


@dataclass(frozen=True)
class Losses:
    """Sums over rows (one row: one target in one frame), each a scalar. `rows` counts them; `visible` those with a mask."""

    focal: Tensor
    dice: Tensor
    iou: Tensor
    object: Tensor
    rows: int
    visible: Tensor

    def __add__(self, other: Losses) -> Losses:
        return Losses(*(getattr(self, item.name) + getattr(other, item.name) for item in fields(self)))

    def total(self) -> Tensor:
        """The weighted loss: mask terms per visible row, the object score per row."""
        masks = FOCAL_WEIGHT * self.focal + DICE_WEIGHT * self.dice + IOU_WEIGHT * self.iou
        return masks / self.visible.clamp(min=1) + OBJECT_WEIGHT * self.object / self.rows

    def as_floats(self) -> dict[str, float]:
        """Each term's mean, unweighted, and the weighted total, for logs."""
        visible = float(self.visible.clamp(min=1))
        means = {name: float(getattr(self, name).detach()) / visible for name in ("focal", "dice", "iou")}
        return {"loss": float(self.total().detach()), **means, "object": float(self.object.detach()) / self.rows}


def focal(logits: Tensor, truth: Tensor) -> Tensor:
    """Sigmoid focal loss (arXiv 1708.02002), averaged over pixels: (rows, M, h, w) twice to (rows, M)."""
    cross_entropy = F.binary_cross_entropy_with_logits(logits, truth, reduction="none")
    # exp(-cross entropy) is the probability given to the right answer.
    hardness = (1 - torch.exp(-cross_entropy)) ** FOCAL_GAMMA
    balance = FOCAL_ALPHA * truth + (1 - FOCAL_ALPHA) * (1 - truth)
    return (balance * hardness * cross_entropy).mean((-2, -1))


def dice(logits: Tensor, truth: Tensor) -> Tensor:
    """1 - (2 |p t| + 1) / (|p| + |t| + 1) over pixels (arXiv 1606.04797): (rows, M, h, w) twice to (rows, M)."""
    probability = logits.sigmoid()
    overlap = (probability * truth).sum((-2, -1))
    return 1 - (2 * overlap + 1) / (probability.sum((-2, -1)) + truth.sum((-2, -1)) + 1)


def mask_iou(logits: Tensor, truth: Tensor) -> Tensor:
    """Intersection over union of logits > 0 with truth > .5; 1 where both are empty. (..., h, w) twice to (...)."""
    predicted, real = logits > 0, truth > 0.5
    union = (predicted | real).sum((-2, -1))
    return torch.where(union > 0, (predicted & real).sum((-2, -1)) / union.clamp(min=1), 1.0)


def frame_losses(logits: Tensor, predicted_iou: Tensor, object_score: Tensor, truth: Tensor, visible: Tensor) -> Losses:
    """All terms for one frame of every row.

    Args:
        logits: float32 (rows, M, h, w), raw: not those that SAM 2 has overwritten with -1024 for absent targets.
        predicted_iou: float32 (rows, M), [0, 1].
        object_score: float32 (rows,), logits of the target being visible, as predicted.
        truth: float32 (rows, h, w), 0 or 1.
        visible: bool (rows,). Mask and IoU terms count only there; the object score always.
    """
    target = truth[:, None].expand_as(logits)
    focal_terms, dice_terms = focal(logits, target), dice(logits, target)
    best = (FOCAL_WEIGHT * focal_terms + DICE_WEIGHT * dice_terms).argmin(1, keepdim=True)
    iou_terms = (predicted_iou - mask_iou(logits.detach(), target)).abs().mean(1)
    seen = visible.float()
    return Losses(
        focal=(focal_terms.gather(1, best)[:, 0] * seen).sum(),
        dice=(dice_terms.gather(1, best)[:, 0] * seen).sum(),
        iou=(iou_terms * seen).sum(),
        object=F.binary_cross_entropy_with_logits(object_score, seen, reduction="sum"),
        rows=len(logits),
        visible=seen.sum(),
    )
