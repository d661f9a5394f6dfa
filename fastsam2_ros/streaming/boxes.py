"""Boxes that a small SAM 2 cannot overlook: as a mask prompt beside the two corners.

SAM's boxes are two tokens that the image's tokens attend to; it took millions of prompts to learn what lies between them.
A mask prompt is added to each place of the image. Mini sees both: then its masks end where the box does.
"""

from __future__ import annotations

import torch
from sam2.modeling.sam.prompt_encoder import PromptEncoder
from sam2.modeling.sam2_base import SAM2Base
from torch import Tensor

BOX_FIRST, BOX_SECOND = 2, 3
LOGIT, SLOPE = 4.0, 2.0
"""Of the mask prompt inside a box, minus this outside; and its change for each pixel of the mask at the box's edge."""


class BoxPromptEncoder(PromptEncoder):  # type: ignore[misc]
    """A `PromptEncoder` that makes a mask prompt of each row's box where it is given none."""

    def forward(
        self, points: tuple[Tensor, Tensor] | None, boxes: Tensor | None, masks: Tensor | None
    ) -> tuple[Tensor, Tensor]:
        """See upstream's."""
        sparse, dense = super().forward(points, boxes, masks)
        if masks is not None or points is None:
            return sparse, dense
        coords, labels = points
        has_box = (labels == BOX_FIRST).any(1) & (labels == BOX_SECOND).any(1)
        if not has_box.any():
            return sparse, dense
        filled = self._embed_masks(box_logits(coords, labels, self.input_image_size[0], self.mask_input_size))
        return sparse, torch.where(has_box[:, None, None, None], filled.to(dense.dtype), dense)


def box_logits(coords: Tensor, labels: Tensor, side: int, size: tuple[int, int]) -> Tensor:
    """Filled boxes as mask logits.

    Args:
        coords: (n, P, 2), x and y in pixels of the encoder's image, two of each row a box's corners.
        labels: (n, P), SAM's: 2 and 3 for the corners; a row without them gives a box of any kind.
        side: of the encoder's image, pixels.
        size: (h, w) of the masks.

    Returns:
        float32 (n, 1, h, w), [-LOGIT, LOGIT].
    """
    first, second = (
        (coords * (labels == which)[..., None]).sum(1).float() / side for which in (BOX_FIRST, BOX_SECOND)
    )  # (n, 2), [0, 1]
    inside = []
    for axis, length in ((1, size[0]), (0, size[1])):
        middles = torch.arange(length, device=coords.device) + 0.5
        low, high = length * first[:, axis, None], length * second[:, axis, None]
        inside.append(torch.minimum(middles - low, high - middles))  # (n, length), pixels from the nearer edge
    distance = torch.minimum(inside[0][:, :, None], inside[1][:, None, :])
    return (SLOPE * distance).clamp(-LOGIT, LOGIT)[:, None]


def see_boxes(model: SAM2Base) -> None:
    """Let a SAM 2 that was trained so see boxes as masks too; its weights stay the same."""
    model.sam_prompt_encoder.__class__ = BoxPromptEncoder
