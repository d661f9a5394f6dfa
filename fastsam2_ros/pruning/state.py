"""What pruning carries of one target from frame to frame."""

from __future__ import annotations

import copy
from dataclasses import dataclass, replace

import torch.nn.functional as F
from torch import Tensor

from fastsam2_ros.pruning.budget import Budget
from fastsam2_ros.streaming.values import Grid

SETTLING_FRAMES = 2
"""Tracked frames after a target was found, or seen again, in which its budget is at its ceiling."""
LONG_LOST_SECONDS = 1.0
"""Time unseen after which a target's budget falls to its floor until it is seen again: the search by text has to find it."""


@dataclass
class PruningState:
    """One target's. Tensors in it are never changed in place.

    Attributes:
        budget: sets its keep ratio.
        mask: float32, (1, h, w), mask logits of the last frame; None before the first.
        prototype: (C,), mean token of the target where it was last seen well; None: not known.
        conditioned: (N, C), what the decoder got in the last frame, which pruned queries are filled from; None right after a
            prompt, when every token is conditioned: features that never met the memory would stay as long as they are left out.
        score: [0, 1], visibility times predicted IoU, in the last frame.
        size: share of the frame that its last mask covers, [0, 1].
        whole: `size` when it was last seen for certain and in one place; see `strays`.
        certain: in the last frame it was seen, and its mask was trusted.
        unseen: seconds since it was last seen.
        since_found: tracked frames since its last prompt, or since it was seen again.
        keep_ratio: that its budget gave it last; 0 before the first.
    """

    budget: Budget
    mask: Tensor | None = None
    prototype: Tensor | None = None
    conditioned: Tensor | None = None
    score: float = 0.0
    size: float = 0.0
    whole: float = 0.0
    certain: bool = False
    unseen: float = 0.0
    since_found: int = 0
    keep_ratio: float = 0.0

    @property
    def long_lost(self) -> bool:
        """It has not been seen for so long that a modest share of tokens has to do until it is."""
        return self.unseen >= LONG_LOST_SECONDS

    @property
    def unsure(self) -> bool:
        """Its budget goes to the ceiling: its mask is doubted, it vanished just now, or was found a moment ago."""
        return not self.long_lost and (not self.certain or self.since_found < SETTLING_FRAMES)

    def copy(self) -> PruningState:
        """One that changes by itself."""
        return replace(self, budget=copy.copy(self.budget))

    def to_grid(self, old: Grid, new: Grid) -> None:
        """Bring what was decoded last, of a grid of tokens, to another grid."""
        if self.mask is not None:
            scale = new[0] / old[0], new[1] / old[1]
            size = [round(side * factor) for side, factor in zip(self.mask.shape[1:], scale, strict=True)]
            self.mask = F.interpolate(self.mask[None], size, mode="bilinear", align_corners=False)[0]
        if self.conditioned is not None:
            grid_map = self.conditioned.float().T.unflatten(1, old)[None]
            moved = F.interpolate(grid_map, new, mode="bilinear", align_corners=False)[0].flatten(1).T
            self.conditioned = moved.to(self.conditioned.dtype)

    def next_keep_ratio(self, magnitude: float, seconds: float, ceiling: float = 1.0) -> float:
        """Let the budget set `keep_ratio` for a frame, and give it back. Arguments as for `Budget.update`."""
        motion, size = (0.0, 0.0) if self.long_lost else (magnitude, self.size)
        self.keep_ratio = self.budget.update(motion, seconds, self.unsure, ceiling, size)
        return self.keep_ratio

    def prompted(
        self,
        mask: Tensor,
        prototype: Tensor,
        score: float,
        size: float,
        visible: bool,
        ceiling: float = 1.0,
        *,
        trusted_score: float,
    ) -> None:
        """It was prompted in this frame, for the first time or again; arguments as the attributes, or of `observe`."""
        self.mask, self.prototype, self.conditioned, self.size = mask, prototype, None, size
        self.whole = size
        self.since_found, self.unseen = 0, 0.0
        self.score = score if visible else 0.0
        self.certain = visible and score >= trusted_score
        self.next_keep_ratio(0.0, 0.0, ceiling)

    def observe(
        self,
        mask: Tensor,
        conditioned: Tensor | None,
        score: float,
        size: float,
        visible: bool,
        seconds: float,
        *,
        trusted_score: float,
        lost_seconds: float,
    ) -> None:
        """Take what was decoded in a tracked frame; arguments as the attributes, and:

        Args:
            visible: the model sees it, and its mask is not empty.
            seconds: since the last frame.
            trusted_score: least score of a mask that is trusted.
            lost_seconds: unseen for so long it counts as lost, and as found again when it is seen.
        """
        seen_again = visible and 0 < self.unseen >= min(lost_seconds, LONG_LOST_SECONDS)
        self.since_found = 0 if seen_again else self.since_found + 1
        self.unseen = 0.0 if visible else self.unseen + seconds
        self.score = score if visible else 0.0
        self.certain = visible and score >= trusted_score
        self.mask, self.conditioned, self.size = mask, conditioned, size
