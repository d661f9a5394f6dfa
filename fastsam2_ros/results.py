"""The values that leave the tracker. Plain data: no torch, no ROS."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import IntEnum

import numpy as np
import numpy.typing as npt

#: x, y of the upper left corner, width, height; pixels of the source frame.
Box = tuple[float, float, float, float]


class TrackState(IntEnum):
    """What is known of one target. The numbers are those of msg/TrackedObject."""

    SEARCHING = 0
    """It was described, and has not been found yet (or not again)."""
    TRACKING = 1
    """It is seen and the masks can be trusted."""
    UNCERTAIN = 2
    """It is seen, but the model doubts its own mask; or it vanished a moment ago."""
    LOST = 3
    """It is not seen. No mask, no box."""


@dataclass(frozen=True)
class TrackedObject:
    """One target in one frame.

    Attributes:
        id: 1 to 65535, used again for another target only after all others; 0 until the target was found.
        description: the text it was found by, or the automatic one of a box.
        state: see `TrackState`.
        score: probability that the target is visible times the predicted IoU of its mask, [0, 1].
        box: the tight box of `mask`, or None where the mask is empty.
        centroid: mean x, y of the mask's pixels, or None where the mask is empty.
        area: pixels in `mask`.
        mask: bool, (H, W) of the source frame.
        keep_ratio: share of the frame's tokens that the budget gave this target, (0, 1]; 0 before it was first found.
        reason: why it is in its state, in words.
    """

    id: int
    description: str
    state: TrackState
    score: float
    box: Box | None
    centroid: tuple[float, float] | None
    area: int
    mask: npt.NDArray[np.bool_]
    keep_ratio: float = 0.0
    reason: str = ""

    @classmethod
    def of_mask(
        cls,
        number: int,
        description: str,
        state: TrackState,
        score: float,
        mask: npt.NDArray[np.bool_],
        keep_ratio: float = 0.0,
        reason: str = "",
    ) -> TrackedObject:
        """With box, centroid and area measured on the mask, bool (H, W)."""
        rows = np.flatnonzero(mask.any(axis=1))
        if not len(rows):
            return cls(number, description, state, score, None, None, 0, mask, keep_ratio, reason)
        top, bottom = rows[0], rows[-1] + 1
        columns = np.flatnonzero(mask[top:bottom].any(axis=0))
        left, right = columns[0], columns[-1] + 1
        inside = mask[top:bottom, left:right]
        area = int(np.count_nonzero(inside))
        x = float(inside.sum(axis=0) @ np.arange(left, right)) / area
        y = float(inside.sum(axis=1) @ np.arange(top, bottom)) / area
        box = (float(left), float(top), float(right - left), float(bottom - top))
        return cls(number, description, state, score, box, (x, y), area, mask, keep_ratio, reason)


FINDING_STAGES = frozenset({"ground", "search"})
"""Stages of a step that only take time where something is started or searched; the others are those of tracking."""


@dataclass(frozen=True)
class AttentionCounts:
    """How many tokens took part in one target's memory attention (`streaming.cost` makes operations of it).

    Attributes:
        queries: of this frame, conditioned on memory.
        keys: of memory frames.
        pointers: of object pointers.
    """

    queries: int
    keys: int
    pointers: int


@dataclass(frozen=True)
class TargetTokens:
    """Which tokens of a frame went through memory attention for one target, and the cue that chose each.

    Attributes:
        id: the target's.
        kept: bool, (rows, columns) of the token grid, which is stretched over the frame.
        cue: int8, (rows, columns): index into `TokenView.cues` of the cue that contributed most to the token's score;
            -1 where none did (tokens that are kept there are spread over the frame), and everywhere where nothing is pruned.
    """

    id: int
    kept: npt.NDArray[np.bool_]
    cue: npt.NDArray[np.int8]

    @property
    def keep_ratio(self) -> float:
        """Share of the tokens that were kept, (0, 1]."""
        return float(self.kept.mean())


@dataclass(frozen=True)
class TokenView:
    """What one frame's pruning did, for pictures of it.

    Attributes:
        cues: names of those that are switched on.
        targets: those that memory attention ran for, by rising id: not those that were found in this very frame.
        full_motion: motion at which the budget is at its ceiling, frame diagonals per second.
    """

    cues: tuple[str, ...]
    targets: tuple[TargetTokens, ...]
    full_motion: float


@dataclass(frozen=True)
class TrackResult:
    """Everything that one `TextTracker.step` found out.

    Attributes:
        stamp_ns: the frame's own stamp, unchanged, nanoseconds.
        size: (H, W) of the frame, pixels.
        frame_index: how many frames the tracker has processed before this one.
        objects: all targets, found or not, by rising id.
        motion: how much moves, in frame diagonals per second (`pruning.motion`).
        keep_ratio: share of the frame's tokens that the budgets gave, mean over the targets that have been found, (0, 1];
            without any, what a target would get that is found now.
        tokens_kept, tokens_total: query tokens that this keep ratio stands for, and tokens of the grid.
        stage_seconds: seconds by stage: encode, motion, route, attend, decode, remember, ground, search, resize.
        warnings: what was wrong with the input and what was done about it, one sentence each.
        untrained: True where the weights are random, so that the masks mean nothing.
        attention: one for each target that went through memory attention.
        attention_flops: floating-point operations of this frame's memory attention, over all targets.
        tokens: what was pruned and why; None where `step` was not asked for it.
        confirmed: the frame shows what the last one did, and no model ran: the masks are those of then
            (`TrackerConfig.max_skip`).
    """

    stamp_ns: int
    size: tuple[int, int]
    frame_index: int
    objects: tuple[TrackedObject, ...]
    motion: float
    keep_ratio: float
    tokens_kept: int
    tokens_total: int
    stage_seconds: Mapping[str, float] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()
    untrained: bool = False
    attention: tuple[AttentionCounts, ...] = ()
    attention_flops: float = 0.0
    tokens: TokenView | None = None
    confirmed: bool = False

    @property
    def state(self) -> TrackState:
        """The best state among the targets; SEARCHING where there is none."""
        order = (TrackState.TRACKING, TrackState.UNCERTAIN, TrackState.LOST)
        states = {target.state for target in self.objects}
        return next((state for state in order if state in states), TrackState.SEARCHING)

    def union_mask(self) -> npt.NDArray[np.uint8]:
        """uint8 (H, W): 255 where any target is, else 0."""
        mask = np.zeros(self.size, np.uint8)
        for target in self.objects:
            mask |= target.mask.view(np.uint8)
        mask *= 255
        return mask

    def labels(self) -> npt.NDArray[np.uint16]:
        """uint16 (H, W): the id of the target at each pixel, 0 for none; the better score is on top."""
        labels = np.zeros(self.size, np.uint16)
        for target in sorted(self.objects, key=lambda target: target.score):
            labels[target.mask] = target.id
        return labels
