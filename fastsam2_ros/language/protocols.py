"""What this folder needs of others: of SAM 2, and of a model that sees and reads."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt
from torch import Tensor

from fastsam2_ros.results import Box


class Features(Protocol):
    """One frame after SAM 2's image encoder."""

    @property
    def tokens(self) -> Tensor:
        """(N, C), N = rows * columns, row by row over the whole frame, which was stretched to a square."""

    @property
    def grid(self) -> tuple[int, int]:
        """Rows and columns of the tokens."""


class Segmenter(Protocol):
    """SAM 2's prompt encoder and mask decoder, on a single frame."""

    def segment(self, features: Any, points: Tensor, labels: Tensor, size: tuple[int, int]) -> tuple[Tensor, Tensor]:
        """Three masks for each of n prompts.

        Args:
            features: what the encoder made of the frame: the segmenter's own `Features`.
            points: float32 (n, p, 2), x and y in pixels of the frame.
            labels: int32 (n, p): 1 on the object, 0 off it, 2 and 3 a box's corners, -1 padding.
            size: (H, W) of the frame, pixels.

        Returns:
            mask logits float32 (n, 3, h, w) over the whole frame, and predicted IoU float32 (n, 3).
        """


class ImageTextEncoder(Protocol):
    """A CLIP: images and texts in one space of unit vectors. `clip.Clip` is one."""

    @property
    def logit_scale(self) -> float:
        """What cosine similarities are multiplied by before a softmax."""

    def embed_texts(self, descriptions: Sequence[str], templates: Sequence[str] = ..., *, keep: bool = True) -> Tensor:
        """float32 (n, D), unit norm; kept for the next call."""

    def dense_features(self, frame: npt.NDArray[np.uint8]) -> Tensor:
        """float32 (D, h, w), unit norm along D, over the whole frame."""

    def embed_crops(self, frame: npt.NDArray[np.uint8], boxes: Sequence[Box], masks: Tensor | None = None) -> Tensor:
        """float32 (n, D), unit norm; of what is in masks, bool (n, h, w) over the whole frame, where the model can."""
