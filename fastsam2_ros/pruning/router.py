"""Which tokens a frame keeps, per target: a weighted sum of the cues, and the best of it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from fastsam2_ros.config import PruningConfig
from fastsam2_ros.pruning import cues
from fastsam2_ros.streaming.shares import token_count

CUES = ("mask", "context", "text", "uncertainty")
"""The cues, in the order of `Router.contributions`."""

_STILL = np.eye(2, 3)


@dataclass(frozen=True)
class FrameCues:
    """What speaks for a frame's tokens whatever the masks are.

    Attributes:
        tokens: (N, C).
        grid: (rows, columns) of the tokens.
        context: (targets, N), [0, 1]: local visual context, and likeness to the target.
        text: (targets, N), [0, 1]: relevance to the target's text; None where there is none.
    """

    tokens: Tensor
    grid: cues.Grid
    context: Tensor
    text: Tensor | None = None


class Router:
    """Scores tokens by the cues; a weight of 0 switches a cue off."""

    def __init__(self, config: PruningConfig) -> None:
        self.config = config

    def frame_cues(self, tokens: Tensor, grid: cues.Grid, prototypes: Tensor, text: Tensor | None) -> FrameCues:
        """Cues of one frame, to be used for its queries and for its memory.

        Args:
            tokens: (N, C).
            grid: (rows, columns) of the tokens.
            prototypes: (targets, C), `cues.prototype`; zeros where a target's looks are not known.
            text: (targets, N), [0, 1], or None.
        """
        context = (cues.local_context(tokens, grid) + cues.appearance(tokens, prototypes)) / 2
        return FrameCues(tokens, grid, context, text)

    def scores(
        self,
        frame: FrameCues,
        masks: Tensor,
        trust: Tensor,
        camera: npt.NDArray[np.float64] = _STILL,
        displacement: float = 0.0,
    ) -> Tensor:
        """Weighted sum of the cues.

        Args:
            frame: of the frame whose tokens are scored.
            masks: float, (targets, 1, h, w), logits: of the frame before, or of this one where it is known already.
            trust: (targets,), [0, 1], visibility times predicted IoU of those masks.
            camera, displacement: `Motion`'s, from the masks' frame to this one; none by default.

        Returns:
            float32, (targets, N).
        """
        return self.contributions(frame, masks, trust, camera, displacement).sum(0)

    def contributions(
        self,
        frame: FrameCues,
        masks: Tensor,
        trust: Tensor,
        camera: npt.NDArray[np.float64] = _STILL,
        displacement: float = 0.0,
    ) -> Tensor:
        """What each cue adds to `scores`, whose arguments these are.

        Returns:
            float32, (cues, targets, N), in the order of `CUES`.
        """
        config = self.config
        text = torch.zeros_like(frame.context) if frame.text is None else frame.text
        return torch.stack(
            [
                config.mask_weight * cues.mask_prior(masks, frame.grid, camera, displacement),
                config.context_weight * frame.context,
                config.text_weight * text,
                config.uncertainty_weight * cues.uncertainty(masks, trust, frame.tokens, frame.grid),
            ]
        )


def best_tokens(scores: Tensor, keep_ratio: float) -> list[Tensor | None]:
    """The tokens that each target keeps.

    Args:
        scores: (targets, N).
        keep_ratio: (0, 1].

    Returns:
        per target int64 (count,), rising; None where all are kept. Ties go to the lower index, so that equal inputs
        always give equal results.
    """
    targets, total = scores.shape
    count = token_count(keep_ratio, total)
    if count == total:
        return [None] * targets
    ranking = scores.argsort(dim=1, descending=True, stable=True)
    return list(torch.sort(ranking[:, :count], dim=1).values)
