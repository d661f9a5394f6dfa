"""Who is timed: upstream's predictor, this tracker, and the tracker of another checkout."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from multiprocessing import Pipe
from pathlib import Path
from typing import Protocol
from weakref import finalize

import numpy as np

from fastsam2_ros.config import UNTRAINED, LanguageConfig, ModelConfig, PruningConfig, TrackerConfig, flat_values
from fastsam2_ros.errors import FastSam2Error
from fastsam2_ros.lab.evaluation import bench_other
from fastsam2_ros.lab.evaluation.bench_scene import SIZE
from fastsam2_ros.lab.evaluation.upstream_step import UpstreamStep
from fastsam2_ros.language.search import NONE, TextSearch
from fastsam2_ros.results import FINDING_STAGES, Box
from fastsam2_ros.streaming.checkpoints import find_checkpoint
from fastsam2_ros.streaming.loading import load_sam2
from fastsam2_ros.tracker import TextTracker

OURS = "ours"
UPSTREAM = "upstream"
CLOCKS: Mapping[str, Callable[[], float]] = {"wall": time.perf_counter, "cpu": time.process_time}
"""Seconds: as they pass, or of all processors together in which this process computed."""


@dataclass(frozen=True)
class Setting:
    """One thing to be timed.

    Attributes:
        variant: `UPSTREAM`, `OURS`, or the name of another checkout.
        model, precision, device, checkpoint, backend, image_size: as in `ModelConfig`.
        targets: how many.
        keep_ratio: as in `PruningConfig`.
        max_skip: as in `TrackerConfig`; with it the scene is still.
        vos_optimized: upstream's compiled predictor.
        checkout: folder of the other checkout.
        clock: of `CLOCKS`.
    """

    variant: str
    model: str
    precision: str
    targets: int
    device: str
    keep_ratio: float = 1.0
    checkpoint: str = UNTRAINED
    image_size: int = 0
    max_skip: int = 0
    backend: str = "auto"
    vos_optimized: bool = False
    checkout: str = ""
    clock: str = "wall"


@dataclass
class Timing:
    """What was measured of a setting.

    Attributes:
        stages: mean seconds by stage.
        step: mean seconds of a whole step.
        peak_bytes: most memory of a process that did nothing else: of the GPU, or resident on a CPU; 0: not measured.
    """

    setting: Setting
    stages: dict[str, float] = field(default_factory=dict)
    step: float = 0.0
    peak_bytes: int = 0


class Stepper(Protocol):
    """Something that tracks one frame and tells the seconds of its stages."""

    def step(self, frame: np.ndarray) -> dict[str, float]:
        """frame: uint8 (H, W, 3), RGB."""


class StreamingStep:
    """Ours: `TextTracker` with boxes as targets."""

    def __init__(self, setting: Setting, boxes: Sequence[Box]) -> None:
        config = _config(setting)
        sam = load_sam2(config.model)
        search = TextSearch(config.language, sam.streaming.device)
        self._tracker = TextTracker(sam, search, config, clock=CLOCKS[setting.clock])
        self._index = 0
        for box in boxes:
            self._tracker.set_box(box)

    def step(self, frame: np.ndarray) -> dict[str, float]:
        """Track one frame."""
        self._index += 1
        result = self._tracker.step(frame, self._index * 33_333_333)
        return {stage: seconds for stage, seconds in result.stage_seconds.items() if stage not in FINDING_STAGES}


class OtherCheckoutStep:
    """The same, with the code of another checkout in a process of its own, on the same weights; whole steps alone.

    Raises:
        FastSam2Error: that code does not track.
    """

    def __init__(self, setting: Setting, boxes: Sequence[Box]) -> None:
        values = flat_values(_config(setting))
        if not values["model.checkpoint"]:
            values["model.checkpoint"] = str(find_checkpoint(_config(setting).model))
        self._name = setting.checkout
        self._connection, theirs = Pipe()
        path = os.pathsep.join([setting.checkout, os.environ.get("PYTHONPATH", "")])
        child = subprocess.Popen(
            [sys.executable, bench_other.__file__, str(theirs.fileno())],
            pass_fds=[theirs.fileno()],
            env={**os.environ, "PYTHONPATH": path},
        )
        theirs.close()
        finalize(self, _end, child)
        self._connection.send((setting.checkout, values, list(boxes), setting.clock))

    def step(self, frame: np.ndarray) -> dict[str, float]:
        """Track one frame."""
        try:
            self._connection.send(frame)
            return {"whole": float(self._connection.recv())}
        except (EOFError, OSError) as error:
            raise FastSam2Error(f"The tracker of {self._name} has ended; what it said stands above.") from error


def _end(child: subprocess.Popen[bytes]) -> None:
    child.kill()
    child.wait()


def _config(setting: Setting) -> TrackerConfig:
    return TrackerConfig(
        model=ModelConfig(
            name=setting.model,
            checkpoint=setting.checkpoint,
            device=setting.device,
            precision=setting.precision,
            image_size=setting.image_size,
            backend=setting.backend,
        ),
        pruning=PruningConfig(keep_ratio=setting.keep_ratio),
        language=LanguageConfig(name=NONE),
        max_targets=setting.targets,
        max_skip=setting.max_skip,
    )


def make(setting: Setting, boxes: Sequence[Box]) -> Stepper:
    """The stepper of a setting, with these boxes in its first frame."""
    if setting.checkout:
        return OtherCheckoutStep(setting, boxes)
    if setting.variant == OURS:
        return StreamingStep(setting, boxes)
    model = ModelConfig(name=setting.model, checkpoint=setting.checkpoint, device=setting.device)
    return UpstreamStep(model, setting.precision, boxes, SIZE, setting.vos_optimized, CLOCKS[setting.clock])


def other_name(folder: Path) -> str:
    """What a checkout is called: its commit."""
    command = ["git", "-C", str(folder), "rev-parse", "--short", "HEAD"]
    told = subprocess.run(command, capture_output=True, text=True, check=False).stdout.strip()
    return told or folder.name
