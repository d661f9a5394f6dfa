"""One target's state, and how it changes with what the model sees."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from torch import Tensor

from fastsam2_ros.config import TrackerConfig
from fastsam2_ros.results import TrackedObject, TrackState
from fastsam2_ros.streaming.memory import TargetMemory

SETTLING_FRAMES = 2
"""Tracked frames after a prompt during which the budget stays at its ceiling."""


@dataclass
class Target:
    """What the tracker knows of one target.

    Attributes:
        id: 1 to 65535.
        description: text.
        searchable: it can be found again by its text.
        memory: None until it was found for the first time.
        low_res: float32, (1, h, w), mask logits of the last frame; None before the first.
        prototype: (C,), mean token of the target where it was last seen well.
        score: [0, 1], visibility times predicted IoU.
        unseen: seconds since it was last seen.
        since_search: seconds since it was last searched.
        since_prompt: tracked frames since its last prompt.
    """

    id: int
    description: str
    searchable: bool
    state: TrackState = TrackState.SEARCHING
    memory: TargetMemory | None = None
    low_res: Tensor | None = None
    prototype: Tensor | None = None
    score: float = 0.0
    unseen: float = 0.0
    since_search: float = float("inf")
    since_prompt: int = 0

    @property
    def doubtful(self) -> bool:
        """It asks for every token: it is doubted, sought, or was prompted a moment ago."""
        return self.state != TrackState.TRACKING or self.since_prompt < SETTLING_FRAMES

    def observe(self, visible: bool, score: float, seconds: float, config: TrackerConfig) -> None:
        """Move to the next state after a frame.

        Args:
            visible: the model sees it, and its mask is not empty.
            score: [0, 1].
            seconds: since the last frame.
            config: thresholds and times.
        """
        self.score = score if visible else 0.0
        self.since_search += seconds
        if visible:
            self.unseen = 0.0
            self.state = TrackState.TRACKING if score >= config.uncertain_score else TrackState.UNCERTAIN
            return
        self.unseen += seconds
        if self.state == TrackState.SEARCHING:
            return
        if self.searchable and self.unseen >= config.lost_seconds + config.search_seconds:
            self.state = TrackState.SEARCHING
        elif self.unseen >= config.lost_seconds:
            self.state = TrackState.LOST
        else:
            self.state = TrackState.UNCERTAIN

    def to_search(self, config: TrackerConfig) -> bool:
        """Whether it is to be looked for in this frame."""
        return self.searchable and self.state == TrackState.SEARCHING and self.since_search >= config.search_interval

    def result(self, mask: npt.NDArray[np.bool_]) -> TrackedObject:
        """The value that is given out. mask: bool (H, W); it is emptied where the target is not seen."""
        if self.state in (TrackState.LOST, TrackState.SEARCHING):
            mask = np.zeros_like(mask)
        columns, rows = np.flatnonzero(mask.any(axis=0)), np.flatnonzero(mask.any(axis=1))
        if not len(rows):
            return TrackedObject(self.id, self.description, self.state, self.score, None, None, 0, mask)
        left, top, right, bottom = columns[0], rows[0], columns[-1] + 1, rows[-1] + 1
        inside = mask[top:bottom, left:right]
        area = int(np.count_nonzero(inside))
        x = float(inside.sum(axis=0) @ np.arange(left, right)) / area
        y = float(inside.sum(axis=1) @ np.arange(top, bottom)) / area
        box = (float(left), float(top), float(right - left), float(bottom - top))
        return TrackedObject(self.id, self.description, self.state, self.score, box, (x, y), area, mask)
