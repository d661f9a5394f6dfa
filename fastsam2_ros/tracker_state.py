"""What changes from step to step of a tracker, and the frame that a step looks at."""

from __future__ import annotations

import copy
import math
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from fastsam2_ros.language.search import TextRelevance
from fastsam2_ros.pruning.budget import Deadline
from fastsam2_ros.pruning.motion import MotionEstimator
from fastsam2_ros.stillness import LastLook
from fastsam2_ros.streaming.values import FrameFeatures, Grid
from fastsam2_ros.targets import TargetList


@dataclass
class TrackerState:
    """Everything that changes from step to step. A step works on a copy, which takes the place of the old one at its end.

    Attributes:
        grid: (rows, columns) of the tokens that all of it goes by.
        targets: who is tracked.
        motion, deadline, relevance: what they remember.
        index: of the next frame.
        since_keyframe: seconds since a keyframe of the text cue was last tried for its own sake.
        failed_keyframes: of those, in a row.
        step_seconds: what the last step took; 0 before the first, and where that was of a frame on another grid.
        last: what the last frame showed; None where no frame may be skipped.
    """

    grid: Grid
    targets: TargetList
    motion: MotionEstimator
    deadline: Deadline
    relevance: TextRelevance
    index: int = 0
    since_keyframe: float = math.inf
    failed_keyframes: int = 0
    step_seconds: float = 0.0
    last: LastLook | None = None

    def copy(self) -> TrackerState:
        """One that changes by itself. Tensors are shared: they never change."""
        return replace(
            self,
            targets=self.targets.copy(),
            motion=copy.copy(self.motion),
            deadline=copy.copy(self.deadline),
            relevance=self.relevance.copy(),
        )

    def to_grid(self, grid: Grid) -> None:
        """Bring what the targets carry to another grid, and judge steps anew."""
        if grid == self.grid:
            return
        self.deadline.resized()
        self.step_seconds, self.last = 0.0, None
        for target in self.targets.targets:
            target.pruning.to_grid(self.grid, grid)
            if target.memory is not None:
                target.memory.to_grid(self.grid, grid)
        self.grid = grid


@dataclass(frozen=True)
class EncodedFrame:
    """What all stages of a step look at.

    Attributes:
        rgb: uint8 (H, W, 3).
        features: what the image encoder made of it.
        ceiling: the highest keep ratio that the deadline allows, (0, 1].
    """

    rgb: npt.NDArray[np.uint8]
    features: FrameFeatures
    ceiling: float
