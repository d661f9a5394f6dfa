"""Relevance to the text. The map that computes it is `language.relevance.RelevanceMap`."""

from __future__ import annotations

import torch
from torch import Tensor


def text_relevance(relevance: Tensor | None, targets: int, tokens: Tensor) -> Tensor:
    """Relevance as a cue: not stretched over the frame, so that a text with no match in it raises no token.

    Args:
        relevance: (targets, N), [0, 1], of each target's text; None where there is no text, or no keyframe yet.
        targets: how many.
        tokens: (N, C), of the same frame.

    Returns:
        float32, (targets, N), [0, 1]; 0 where it is not known or not finite.
    """
    if relevance is None:
        return torch.zeros(targets, len(tokens), device=tokens.device)
    return torch.nan_to_num(relevance.float()).clamp(0, 1)
