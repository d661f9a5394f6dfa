"""A lost target found again by its look alone: where the frame's tokens are nearer to it than to what was beside it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from fastsam2_ros.language import candidates, scoring
from fastsam2_ros.look import Look, likeness, looks_of
from fastsam2_ros.streaming.model import StreamingSam2
from fastsam2_ros.streaming.prompts import Prompt
from fastsam2_ros.streaming.values import Decoded, FrameFeatures, masks_at

PLACES = 3
"""Where in a frame the target may be: how many places are looked at."""
CERTAIN_LEAD = 0.15
"""Lead of a token that is the target's for sure."""
LEAST_LEAD = 0.05
"""Least lead of the best token of a frame in which the target may be."""


@dataclass(frozen=True, eq=False)
class Find:
    """What looks like the target.

    Attributes:
        decoded: its mask.
        look: its look.
    """

    decoded: Decoded
    look: Look


def find_by_look(features: FrameFeatures, known: Sequence[Look], sam: StreamingSam2, least: float) -> Find | None:
    """What looks most like a target in a frame.

    Args:
        features: of the frame that is searched.
        known: looks of the target, one at least.
        sam: makes masks.
        least: likeness (`look.likeness`) that it must have.
    """
    best = None
    for mask_logits in _candidates(features, known, sam):
        (mask,) = masks_at(mask_logits[None, None], features.size)
        decoded = sam.decode_prompt(features, Prompt.from_mask(mask))
        (look,) = looks_of(features.picture, features, decoded.low_res)
        alike = likeness(look, known)
        if alike >= least:
            least, best = alike, Find(decoded, look)
    return best


def _candidates(features: FrameFeatures, known: Sequence[Look], sam: StreamingSam2) -> list[Tensor]:
    """Masks of what may be the target, best first: float32 (h, w) logits, at most `PLACES`."""
    lead = _lead(features, known)
    if lead is None or float(lead.max()) < LEAST_LEAD:
        return []
    certainty = (lead / CERTAIN_LEAD).clamp(0, 1)
    points, labels, _ = candidates.prompts(certainty.cpu().numpy(), features.size, PLACES)
    if not len(points):
        return []
    device = lead.device
    logits, predicted = sam.segment(
        features, torch.from_numpy(points).to(device), torch.from_numpy(labels).to(device), features.size
    )
    masks = logits.float().flatten(0, 1)
    quality = scoring.quality(masks, predicted.flatten(), certainty)
    ranked = torch.argsort(quality.score, descending=True, stable=True).tolist()
    usable = quality.usable.tolist()
    return [masks[row] for row in scoring.distinct(masks, [row for row in ranked if usable[row]], PLACES)]


def _lead(features: FrameFeatures, known: Sequence[Look]) -> Tensor | None:
    """How much nearer each token is to the target's than to what was beside it: float32 (rows, columns), [-2, 2].

    None: nothing was beside it.
    """
    tokens = F.normalize(features.tokens.float(), dim=1)
    own = torch.cat([look.tokens[look.inside] for look in known])
    other = torch.cat([look.tokens[look.beside] for look in known])
    if not len(own) or not len(other):
        return None
    lead = (tokens @ own.T).amax(1) - (tokens @ other.T).amax(1)
    return lead.unflatten(0, features.grid)
