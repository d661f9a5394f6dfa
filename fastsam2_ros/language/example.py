"""A picture of a thing in place of a text: its CLIP embedding stands where the text's would."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from fastsam2_ros.language.protocols import ImageTextEncoder
from fastsam2_ros.language.vocabulary import NEGATIVES, TEMPLATES
from fastsam2_ros.results import Box

OWN_SHARE = 0.5
"""Least lead over the best negative, as a share of the lead that the example's own picture has.

Pictures are far more like other pictures than like texts, so that a margin that suits texts would let everything pass.
Measured with mini's CLIP of 2026-11-22 on 14 scenes of the generated world: the shown thing seen again has .44 to .8 of it
(90 % of the scenes), other things .08 in the median.
"""


class WithExamples:
    """An `ImageTextEncoder` that gives examples' embeddings for certain texts, and is the other one in all else.

    Args:
        clip: the other one.
        examples: (D,), unit norm, by text.
    """

    def __init__(self, clip: ImageTextEncoder, examples: Mapping[str, Tensor]) -> None:
        self._clip = clip
        self._examples = examples

    @property
    def logit_scale(self) -> float:
        """See `ImageTextEncoder`."""
        return self._clip.logit_scale

    def embed_texts(
        self, descriptions: Sequence[str], templates: Sequence[str] = TEMPLATES, *, keep: bool = True
    ) -> Tensor:
        """See `ImageTextEncoder`."""
        embedded = self._clip.embed_texts(descriptions, templates, keep=keep).clone()
        for row, description in enumerate(descriptions):
            if description in self._examples:
                embedded[row] = self._examples[description]
        return embedded

    def dense_features(self, frame: npt.NDArray[np.uint8]) -> Tensor:
        """See `ImageTextEncoder`."""
        return self._clip.dense_features(frame)

    def embed_crops(self, frame: npt.NDArray[np.uint8], boxes: Sequence[Box], masks: Tensor | None = None) -> Tensor:
        """See `ImageTextEncoder`."""
        return self._clip.embed_crops(frame, boxes, masks)


@torch.inference_mode()
def embed(image: npt.NDArray[np.uint8], clip: ImageTextEncoder) -> Tensor:
    """Embedding of a picture that shows a thing and little else.

    Args:
        image: uint8 (H, W, 3), RGB.

    Returns:
        float32 (D,), unit norm.
    """
    height, width = image.shape[:2]
    return clip.embed_crops(image, [(0.0, 0.0, float(width), float(height))])[0]


@torch.inference_mode()
def least_margin(example: Tensor, clip: ImageTextEncoder) -> float:
    """What `Grounding.margin` must be at least for what is found by an example, (D,), unit norm."""
    return OWN_SHARE * (1 - float((clip.embed_texts(NEGATIVES) @ example).max()))
