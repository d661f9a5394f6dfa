"""What a target looks like, and what was beside it: by these it is known again, and told from look-alikes."""

from __future__ import annotations

import math
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
GREY = 110.0
"""Mean of red, green and blue that every frame is brought to before its colours are counted."""
COLOURS_SHARE = 0.75
"""Weight of the colours in the likeness; the rest is the tokens'."""
LEAD = 1.0
"""Weight of the lead in the likeness to what is known."""
COMPARED_TOKENS = 64
"""Of a mask that are compared with the tokens of another frame; a larger mask has them drawn evenly."""
SAME_LOOK = 0.75
"""Least likeness (`likeness`) to a target's remembered looks of what was found, or of what memory attention shows again
after it was out of sight, to be the same thing.
"""


@dataclass(frozen=True, eq=False)
class Look:
    """Of one target in one frame.

    Attributes:
        token: float32 (C,), the mean token of its mask; zeros for an empty one.
        colours: float32 (COLOUR_STEPS ** 3,), square roots of the shares of its colours; zeros for an empty mask.
        tokens: float32 (N, C), unit norm: all of the frame, the same tensor for all targets.
        inside: bool (N,): those of the target, one at least; none for an empty mask.
        beside: bool (N,): those that no part of the target is in or next to.
    """

    token: Tensor
    colours: Tensor
    tokens: Tensor
    inside: Tensor
    beside: Tensor

    def likeness(self, known: Look) -> float:
        """How alike two looks are, [-1, 1]: the mean, by `COLOURS_SHARE`, of the cosine of the tokens and the Bhattacharyya
        coefficient of the colours.
        """
        token = F.cosine_similarity(self.token, known.token, dim=0)
        colours = (self.colours * known.colours).sum()
        return float((1 - COLOURS_SHARE) * token + COLOURS_SHARE * colours)

    def lead(self, known: Look) -> float:
        """How much nearer its tokens are to those of a known look than to what was beside that: [-2, 2], the mean difference
        of the cosines with the nearest of either. What was beside the target is known, too: below 0, this is rather that.
        """
        own = self.tokens[self.inside]
        if not len(own) or not known.inside.any() or not known.beside.any():
            return 0.0
        own = own[:: math.ceil(len(own) / COMPARED_TOKENS)]
        similarity = own @ known.tokens.T
        return float((_highest(similarity, known.inside) - _highest(similarity, known.beside)).mean())


def looks_of(frame: npt.NDArray[np.uint8], features: FrameFeatures, low_res: Tensor) -> list[Look]:
    """The look of each target in a frame.

    Args:
        frame: uint8 (h, w, 3), RGB; at any size, such as `FrameFeatures.picture`.
        features: of the same frame.
        low_res: float, (targets, 1, h, w), mask logits of the same frame.
    """
    means = cues.prototype(features.tokens, low_res, features.grid)
    colours = _colours(frame, (low_res > 0)[:, 0])
    tokens = F.normalize(features.tokens.float(), dim=1)
    share = F.adaptive_avg_pool2d((low_res > 0).float(), features.grid)  # (targets, 1, rows, columns)
    # A thing that is smaller than a token has the one that most of it is in.
    inside = ((share > 0.5) | (share == share.amax((2, 3), keepdim=True)) & (share > 0)).flatten(1)
    beside = (F.max_pool2d(share, 3, stride=1, padding=1) == 0).flatten(1)
    return [Look(*each) for each in zip(means, colours, [tokens] * len(means), inside, beside, strict=True)]


def likeness(look: Look, known: Sequence[Look]) -> float:
    """How like a look is to the one of several that it is most like, its lead included; 1 where none is known."""
    return max((look.likeness(each) + LEAD * look.lead(each) for each in known), default=1.0)


def _highest(similarity: Tensor, tokens: Tensor) -> Tensor:
    """The highest similarity with some of the tokens. similarity: (n, N); tokens: bool (N,)."""
    return similarity.masked_fill(~tokens, -1.0).amax(1)


def _colours(frame: npt.NDArray[np.uint8], masks: Tensor) -> Tensor:
    """Histograms of the colours in masks, (targets, h, w): float32 (targets, COLOUR_STEPS ** 3), square roots of shares."""
    small = cv2.resize(frame, masks.shape[:0:-1], interpolation=cv2.INTER_AREA)
    # By the grey world's light: exposure and white balance change while a target is away.
    gains = np.array([GREY / max(mean, 1.0) for mean in cv2.mean(small)[:3]])
    steps = np.minimum(np.arange(256)[:, None] * gains, 255).astype(np.int64) * COLOUR_STEPS // 256
    red, green, blue = cv2.split(cv2.LUT(small, steps[None].astype(np.uint8)))
    bins = (red * COLOUR_STEPS + green) * COLOUR_STEPS + blue  # uint8: the highest is COLOUR_STEPS ** 3 - 1
    counts = np.stack([np.bincount(bins[mask], minlength=COLOUR_STEPS**3) for mask in masks.cpu().numpy()])
    shares = counts / np.maximum(counts.sum(1, keepdims=True), 1)
    return torch.from_numpy(np.sqrt(shares).astype(np.float32)).to(masks.device)
