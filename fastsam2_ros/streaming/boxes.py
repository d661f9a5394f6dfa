"""Masks that end where their box does.

SAM learned from millions of prompts that hardly anything of a box's object is outside of the box. A small model learns it but
weakly: its masks run over to whatever looks alike. What is known need not be learned.
"""

from __future__ import annotations

import torch
from torch import Tensor

from fastsam2_ros.streaming.prompts import BOX_FIRST, BOX_SECOND

END_AT_BOXES = "masks_end_at_boxes"
"""Setting of a model's configuration, and attribute of the model."""
AROUND = 0.1
"""Share of a box's width and height that a mask may reach beyond each of its sides: boxes are drawn by hand, or guessed."""
OUTSIDE = -4.0
"""Logit of what is farther out, at most: surely not the object."""


def within_boxes(logits: Tensor, coords: Tensor, labels: Tensor, side: int) -> Tensor:
    """Masks without what lies outside of their row's box; a row without a box stays as it is.

    Args:
        logits: float32 (n, M, h, w), over the whole frame.
        coords: (n, P, 2), x and y in pixels of the encoder's image.
        labels: (n, P), SAM's: 2 and 3 for a box's corners.
        side: of the encoder's image, pixels.
    """
    boxed = (labels == BOX_FIRST).any(1) & (labels == BOX_SECOND).any(1)
    first, second = (
        (coords * (labels == corner)[..., None]).sum(1).float() / side for corner in (BOX_FIRST, BOX_SECOND)
    )
    reach = AROUND * (second - first)
    low, high = first - reach, second + reach  # (n, 2), [0, 1]
    inside = []
    for axis, length in ((1, logits.shape[2]), (0, logits.shape[3])):
        # Whole pixels of the mask, from the one in which the box begins to the one in which it ends: of a box that is smaller
        # than one, that one is left.
        places = torch.arange(length, device=logits.device)
        inside.append(
            (places >= (length * low[:, axis, None]).floor()) & (places < (length * high[:, axis, None]).ceil())
        )  # (n, length)
    outside = ~(inside[0][:, :, None] & inside[1][:, None, :]) & boxed[:, None, None]
    return torch.where(outside[:, None], logits.clamp(max=OUTSIDE), logits)
