"""One target's state, and how it changes with what the model sees."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from torch import Tensor

from fastsam2_ros.config import TrackerConfig
from fastsam2_ros.pruning.budget import Budget
from fastsam2_ros.results import TrackedObject, TrackState
from fastsam2_ros.streaming.memory import TargetMemory

SETTLING_FRAMES = 2
"""Tracked frames after it was found, or seen again, in which a target gets all that the budget can give."""
GIVE_UP_SECONDS = 1.0
"""Time unseen after which a target no longer asks for all of it: what went for so long is left to the search by text."""


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
        size: share of the frame that its last mask covers, [0, 1].
        score: [0, 1], visibility times predicted IoU.
        unseen: seconds since it was last seen.
        since_search: seconds since it was last searched.
        since_found: tracked frames since its last prompt, or since it was seen again.
        keep_ratio: share of tokens that its budget gave it last; 0 before the first.
    """

    id: int
    description: str
    searchable: bool
    budget: Budget
    state: TrackState = TrackState.SEARCHING
    memory: TargetMemory | None = None
    low_res: Tensor | None = None
    prototype: Tensor | None = None
    size: float = 0.0
    score: float = 0.0
    unseen: float = 0.0
    since_search: float = float("inf")
    since_found: int = 0
    keep_ratio: float = 0.0

    @property
    def given_up(self) -> bool:
        """It has not been seen for so long that a modest share of tokens has to do until it is."""
        return self.unseen >= GIVE_UP_SECONDS

    @property
    def doubtful(self) -> bool:
        """It asks for the ceiling: it is doubted, vanished just now, or was found a moment ago."""
        unsure = self.state != TrackState.TRACKING or self.since_found < SETTLING_FRAMES
        return unsure and not self.given_up

    def take_share(self, magnitude: float, seconds: float, ceiling: float) -> float:
        """Let the budget set `keep_ratio` for this frame, and give it back. Arguments as for `Budget.update`."""
        motion, size = (0.0, 0.0) if self.given_up else (magnitude, self.size)
        self.keep_ratio = self.budget.update(motion, seconds, self.doubtful, ceiling, size)
        return self.keep_ratio

    def found(self, visible: bool, score: float, ceiling: float) -> None:
        """It was prompted in this frame, for the first time or again.

        Args:
            visible: the model sees it there.
            score: [0, 1].
            ceiling: what `Deadline` allows.
        """
        self.since_found, self.unseen = 0, 0.0
        self.state = TrackState.TRACKING if visible else TrackState.UNCERTAIN
        self.score = score if visible else 0.0
        self.take_share(0.0, 0.0, ceiling)

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
        seen_again = visible and (self.given_up or self.state in (TrackState.LOST, TrackState.SEARCHING))
        self.since_found = 0 if seen_again else self.since_found + 1
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
        return TrackedObject.of_mask(self.id, self.description, self.state, self.score, mask, self.keep_ratio)
