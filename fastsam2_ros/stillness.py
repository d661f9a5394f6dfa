"""Whether a frame still shows what the last one did, seen on the pixels: then its masks hold, and no model need run."""

from __future__ import annotations

from dataclasses import dataclass, replace

import cv2
import numpy as np
import numpy.typing as npt

from fastsam2_ros.pruning.motion import reduced
from fastsam2_ros.pruning.state import SETTLING_FRAMES
from fastsam2_ros.results import TrackedObject, TrackResult, TrackState
from fastsam2_ros.targets import TargetList

WIDTH = 320
"""Pictures that are compared are scaled down by a whole number, to this width or a little more, pixels."""
BLUR = 3
"""Side of the box that they are blurred with, so that sensor noise is no change, their pixels."""
CHANGE = 3
"""A change of any pixel of theirs by more than this, in brightness or colour, is motion, levels of 0 to 255."""


@dataclass(frozen=True)
class LastLook:
    """What the last frame showed for which the models ran.

    Attributes:
        size: (H, W) of the frame.
        glance: of it.
        result: of it.
        skipped: frames since then for which they did not run.
    """

    size: tuple[int, int]
    glance: npt.NDArray[np.uint8]
    result: TrackResult
    skipped: int = 0

    def holds(self, frame: npt.NDArray[np.uint8], targets: TargetList, max_skip: int) -> bool:
        """Whether its masks are those of a later frame: nothing moved since, all targets are sure, and none is to be started.

        Args:
            frame: uint8 (H, W, 3), RGB.
            targets: as they are now.
            max_skip: most frames in a row.
        """
        if self.skipped >= max_skip or targets.waiting or frame.shape[:2] != self.size:
            return False
        known = [(each.id, each.description) for each in self.result.objects]
        if sorted((each.id, each.description) for each in targets.targets) != known:
            return False
        sure = all(
            each.state == TrackState.TRACKING and each.pruning.certain and each.pruning.since_found >= SETTLING_FRAMES
            for each in targets.targets
        )
        return sure and int(cv2.absdiff(glance(frame), self.glance).max()) <= CHANGE

    @classmethod
    def of(cls, frame: npt.NDArray[np.uint8], result: TrackResult) -> LastLook:
        """Of a frame, uint8 (H, W, 3), RGB, and its result, which stays whoever changes the masks that were given out."""
        return cls(result.size, glance(frame), replace(result, objects=_copied(result)))

    def again(self) -> LastLook:
        """After one more frame that it holds for."""
        return replace(self, skipped=self.skipped + 1)

    def result_at(self, stamp_ns: int, index: int, warnings: tuple[str, ...]) -> TrackResult:
        """The result of a later frame that it holds for; arguments as the attributes of `TrackResult`, times left out."""
        return replace(
            self.result,
            stamp_ns=stamp_ns,
            frame_index=index,
            objects=_copied(self.result),
            motion=0.0,
            stage_seconds={},
            warnings=warnings,
            attention=(),
            attention_flops=0.0,
            tokens=None,
            confirmed=True,
        )


def _copied(result: TrackResult) -> tuple[TrackedObject, ...]:
    return tuple(replace(each, mask=each.mask.copy()) for each in result.objects)


def glance(frame: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    """What is compared of a frame, uint8 (H, W, 3), RGB: a small blurred picture in YCrCb, uint8 (h, w, 3).

    Noise of a sensor's three colours is no stronger in any of these three than in brightness: one limit fits all.
    """
    small = cv2.cvtColor(reduced(frame, 1, WIDTH), cv2.COLOR_RGB2YCrCb)
    return np.asarray(cv2.blur(small, (BLUR, BLUR)), np.uint8)
