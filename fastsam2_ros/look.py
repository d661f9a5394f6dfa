"""What a target looks like: SAM 2's mean token inside its mask, and its colours. By these it is known again."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F
from torch import Tensor

from fastsam2_ros.pruning import cues
from fastsam2_ros.streaming.values import FrameFeatures

COLOUR_STEPS = 6
"""Of red, green and blue in a histogram of colours."""
_STEP_OF = (np.arange(256) * COLOUR_STEPS // 256).astype(np.uint8)
"""The step of each grey level."""


@dataclass(frozen=True, eq=False)
class Look:
    """Of one target in one frame.

    Attributes:
        token: float32 (C,), the mean token of its mask; zeros for an empty one.
        colours: float32 (COLOUR_STEPS ** 3,), square roots of the shares of its colours; zeros for an empty mask.
    """

    token: Tensor
    colours: Tensor

    def likeness(self, other: Look) -> float:
        """How alike two looks are, [-1, 1]: the mean of the cosine of the tokens and the Bhattacharyya coefficient of the
        colours.
        """
        token = F.cosine_similarity(self.token, other.token, dim=0)
        return float(token + (self.colours * other.colours).sum()) / 2


def looks_of(frame: npt.NDArray[np.uint8], features: FrameFeatures, low_res: Tensor) -> list[Look]:
    """The look of each target in a frame.

    Args:
        frame: uint8 (h, w, 3), RGB; at any size, such as `FrameFeatures.picture`.
        features: of the same frame.
        low_res: float, (targets, 1, h, w), mask logits of the same frame.
    """
    tokens = cues.prototype(features.tokens, low_res, features.grid)
    colours = _colours(frame, (low_res > 0)[:, 0])
    return [Look(token, colour) for token, colour in zip(tokens, colours, strict=True)]


def likeness(look: Look, known: Sequence[Look]) -> float:
    """How like a look is to the one of several that it is most like; 1 where none is known."""
    return max((look.likeness(each) for each in known), default=1.0)


def _colours(frame: npt.NDArray[np.uint8], masks: Tensor) -> Tensor:
    """Histograms of the colours in masks, (targets, h, w): float32 (targets, COLOUR_STEPS ** 3), square roots of shares."""
    small = cv2.resize(frame, masks.shape[:0:-1], interpolation=cv2.INTER_AREA)
    red, green, blue = cv2.split(cv2.LUT(small, _STEP_OF))
    bins = (red * COLOUR_STEPS + green) * COLOUR_STEPS + blue  # uint8: the highest is COLOUR_STEPS ** 3 - 1
    counts = np.stack([np.bincount(bins[mask], minlength=COLOUR_STEPS**3) for mask in masks.cpu().numpy()])
    shares = counts / np.maximum(counts.sum(1, keepdims=True), 1)
    return torch.from_numpy(np.sqrt(shares).astype(np.float32)).to(masks.device)
