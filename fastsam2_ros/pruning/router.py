"""Which tokens a frame keeps, per target: a weighted sum of the cues, and the best of it."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from fastsam2_ros.config import PruningConfig


@dataclass(frozen=True)
class Cues:
    """The cues of one frame, each (targets or 1, N) in [0, 1], or None where it is not to be had.

    Attributes:
        mask: prior from the last mask, moved and dilated.
        context: local visual context.
        text: relevance to the target's text.
        uncertainty: entropy of the last mask, and doubt.
    """

    mask: Tensor
    context: Tensor | None = None
    text: Tensor | None = None
    uncertainty: Tensor | None = None


def token_scores(cues: Cues, config: PruningConfig) -> Tensor:
    """Weighted sum of the cues: float32, (targets, N). A weight of 0 switches a cue off."""
    scores = config.mask_weight * cues.mask
    parts = (
        (config.context_weight, cues.context),
        (config.text_weight, cues.text),
        (config.uncertainty_weight, cues.uncertainty),
    )
    for weight, cue in parts:
        if weight > 0 and cue is not None:
            scores = scores + weight * cue
    return scores


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


def token_count(keep_ratio: float, total: int) -> int:
    """How many of `total` tokens a share is: at least 1, rounded."""
    return min(total, max(1, round(keep_ratio * total)))
