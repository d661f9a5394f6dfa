"""What decides, by its score and its look, whether a target counts as seen, and whether its look is remembered."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from fastsam2_ros.look import SAME_LOOK, Look, likeness
from fastsam2_ros.targets import Target

TRACKED_LOOK = 0.45
"""The least likeness of what memory attention takes for a target that was seen in the last frame: below, its mask has slipped
to something else.
"""
LEARNT_LOOK = 0.85
"""Least likeness of a look to the first one to be remembered beside it. What is left in sight of a target that leaves or is
being covered looks half like what is beside it; remembered, it would let the mask slip there.
"""
FOUND_LOOK = 0.9
"""Least likeness of what was found by the look alone: it was looked for all over the frame, and nothing else speaks for it."""
BETTER_LOOK = 0.25
"""By how much that must be more like the target than what is taken for it, to take its place."""
TOLD_MARGIN, TOLD_WEIGHT, TOLD_MOST = 0.06, 2.0, 0.2
"""Of what a text found: a margin that is this far above `language.min_margin` begins to make up for a lack of likeness, with
this weight, up to this much.
"""
ALIKE_SHARE = 0.4
"""Of `seen_score`: the least score where the likeness is at least `SAME_LOOK`. A target that has changed has low scores too."""


def least_scores(targets: Sequence[Target], looks: Sequence[Look], seen_score: float) -> Tensor:
    """The least score of each target for which it counts as seen, where it looks so: float32 (targets,).

    The likeness is noted in each (`Target.alike`, `Target.alike_first`).
    """
    least = []
    for target, look in zip(targets, looks, strict=True):
        by_look = [likeness(look, [known]) for known in target.looks]
        alike = target.alike = max(by_look, default=1.0)
        target.alike_first = by_look[0] if by_look else 1.0
        if alike >= SAME_LOOK:
            least.append(seen_score * ALIKE_SHARE)
        elif seen_score > 0 and (target.pruning.unseen or alike < TRACKED_LOOK):
            least.append(math.inf)
        else:
            least.append(seen_score)
    return torch.tensor(least)


def least_look(lead_over_least: float) -> float:
    """The least likeness of what a search by text found. lead_over_least: its margin over `language.min_margin`."""
    return SAME_LOOK - min(max(TOLD_WEIGHT * (lead_over_least - TOLD_MARGIN), 0.0), TOLD_MOST)


def remember_look(target: Target, look: Look, alike: float | None = None) -> None:
    """Remember how a target looks now beside how it looked first, unless that is too far from it.

    Args:
        target: whose look it is.
        look: as it is now.
        alike: likeness of both, where it is known already (`Target.alike_first`).
    """
    alike = likeness(look, target.looks[:1]) if alike is None else alike
    if alike >= LEARNT_LOOK:
        target.looks = (*target.looks[:1], look)
