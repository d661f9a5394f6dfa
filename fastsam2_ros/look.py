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
        frame: uint8 (H, W, 3), RGB.
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
    height, width = masks.shape[1:]
    small = cv2.resize(frame, (width, height), interpolation=cv2.INTER_AREA).astype(np.int64) * COLOUR_STEPS // 256
    bins = torch.from_numpy(small @ np.array([COLOUR_STEPS**2, COLOUR_STEPS, 1])).to(masks.device).flatten()
    counts = torch.zeros(len(masks), COLOUR_STEPS**3, device=masks.device)
    counts.index_add_(1, bins, masks.flatten(1).float())
    return (counts / counts.sum(1, keepdim=True).clamp_min(1)).sqrt()
