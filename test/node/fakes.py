"""A tracker of the core's interface that needs no models: a target is the centre of the frame."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable, Sequence
from types import SimpleNamespace

import numpy as np

from fastsam2_ros.config import TrackerConfig
from fastsam2_ros.errors import InputError
from fastsam2_ros.results import TargetTokens, TokenView, TrackedObject, TrackResult, TrackState

TOKENS = TokenView(("mask",), (TargetTokens(1, np.eye(16, dtype=bool), np.zeros((16, 16), np.int8)),), full_motion=0.5)
"""One cue, and a target that keeps the diagonal of the grid."""


class CentreTracker:
    """Every target is the middle quarter of the frame."""

    untrained = True
    device = "cpu"

    def __init__(self, config: TrackerConfig | None = None, before_step: Callable[[], None] = lambda: None) -> None:
        self.config = config or TrackerConfig()
        self.before_step = before_step
        self.descriptions: tuple[str, ...] = ()
        self.box = None
        self.steps: list[tuple[tuple[int, ...], int]] = []
        self.views: list[bool] = []
        self.threads: set[int] = set()
        self.siblings: list[CentreTracker] = []
        self.batches: list[int] = []
        self.idle = False
        self.next_grid = (32, 32)
        self._stamp = -1

    def warm_up(self) -> None:
        self.threads.add(threading.get_ident())

    def sibling(self) -> CentreTracker:
        self.siblings.append(CentreTracker(self.config, self.before_step))
        return self.siblings[-1]

    def needs_encoder(self, stamp_ns: int) -> bool:
        return not self.idle

    def encode(self, frames: Sequence[np.ndarray]) -> list[tuple[int, ...]]:
        self.batches.append(len(frames))
        return [frame.shape for frame in frames]

    def reconfigure(self, config: TrackerConfig) -> None:
        self.config = config

    def set_target(self, text: str) -> tuple[str, ...]:
        self.threads.add(threading.get_ident())
        if len(text) > 1000:
            raise InputError(
                f"The description has {len(text)} characters; 1000 are the most. Describe it in a few words."
            )
        self.descriptions = tuple(part.strip() for part in text.split(";") if part.strip())
        return self.descriptions

    def set_box(self, box: tuple[float, float, float, float]) -> None:
        self.threads.add(threading.get_ident())
        if box[2] <= 0 or box[3] <= 0:
            raise InputError(f"The box {box} is empty. Give a width and a height above 0.")
        self.box = box

    @property
    def targets(self) -> list[SimpleNamespace]:
        return [SimpleNamespace(description=text) for text in self.descriptions]

    def set_example(self, image: np.ndarray) -> str:
        self.descriptions += (f"thing of {image.shape[1]} x {image.shape[0]} pixels",)
        return self.descriptions[-1]

    def find_with(self, finder: object) -> None:
        self.finder = finder

    def step(
        self, frame: np.ndarray, stamp_ns: int, *, features: object = None, view_tokens: bool = False
    ) -> TrackResult:
        assert features in (None, frame.shape)
        self.threads.add(threading.get_ident())
        self.views.append(view_tokens)
        self.before_step()
        height, width = frame.shape[:2]
        warnings = []
        if stamp_ns <= self._stamp:
            warnings.append(f"The stamp {stamp_ns} does not rise. The last good interval is taken.")
        if self.box is not None:
            if self.box[0] >= width or self.box[1] >= height:
                warnings.append(
                    f"The box {self.box} lies outside the frame of {width} x {height} pixels; it is ignored."
                )
            else:
                self.descriptions += ("thing in a box",)
            self.box = None
        self._stamp = stamp_ns
        self.steps.append((frame.shape, stamp_ns))
        mask = np.zeros((height, width), bool)
        mask[height // 4 : height * 3 // 4, width // 4 : width * 3 // 4] = True
        box = (
            float(width // 4),
            float(height // 4),
            float(width * 3 // 4 - width // 4),
            float(height * 3 // 4 - height // 4),
        )
        objects = tuple(
            TrackedObject(
                id=index + 1,
                description=text,
                state=TrackState.TRACKING,
                score=0.75,
                box=box,
                centroid=(width / 2, height / 2),
                area=int(mask.sum()),
                mask=mask,
                reason="seen with a score of 0.75",
            )
            for index, text in enumerate(self.descriptions)
        )
        return TrackResult(
            stamp_ns=stamp_ns,
            size=(height, width),
            frame_index=len(self.steps) - 1,
            objects=objects,
            motion=0.25,
            keep_ratio=0.5,
            tokens_kept=128,
            tokens_total=256,
            stage_seconds={"encode": 0.01},
            warnings=tuple(warnings),
            untrained=True,
            tokens=TOKENS if view_tokens else None,
        )

    def reset(self) -> None:
        self.descriptions = ()


def small(config: TrackerConfig) -> CentreTracker:
    """A tracker that takes as long for a frame as a small model does."""
    return CentreTracker(config, before_step=lambda: time.sleep(0.05))


def loading(config: TrackerConfig) -> CentreTracker:
    """One whose models are never loaded."""
    threading.Event().wait()
    return CentreTracker(config)


def broken(config: TrackerConfig) -> CentreTracker:
    """One on a GPU that has gone wrong for good."""

    def fail() -> None:
        raise RuntimeError("CUDA error: device-side assert triggered")

    tracker = CentreTracker(config, before_step=fail)
    tracker.device = "cuda:0"
    return tracker


if __name__ == "__main__":
    from fastsam2_ros.node.main import leave, main

    leave(main(make_tracker={"small": small, "loading": loading, "broken": broken}[sys.argv[1]]))
