"""`fastsam2 soak`: memory and time of a step must not grow with the length of the video."""

from __future__ import annotations

import argparse
import gc
import statistics
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.progress import track
from rich.table import Table

from fastsam2_ros.config import LanguageConfig, ModelConfig, PruningConfig, TrackerConfig
from fastsam2_ros.errors import InputError
from fastsam2_ros.lab.evaluation.upstream import noise_video
from fastsam2_ros.language.search import NONE
from fastsam2_ros.streaming.loading import UNTRAINED
from fastsam2_ros.tracker import TextTracker

EXAMPLE = "fastsam2 soak --frames 1000"
WARM_FRAMES = 50
WINDOW = 25
MEGABYTE = 1 << 20


@dataclass
class Soak:
    """What was seen over a run.

    Attributes:
        resident: resident memory of the process after each frame, bytes.
        bank: memory of the tracker's targets after each frame, bytes.
        seconds: of each step.
    """

    resident: list[int] = field(default_factory=list)
    bank: list[int] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)

    def growth(self) -> int:
        """Bytes by which resident memory at the end, median of some frames, is above that after the warm-up."""
        early, late = self._ends([float(value) for value in self.resident])
        return round(late - early)

    def slowdown(self) -> float:
        """Median step time at the end over that after the warm-up."""
        early, late = self._ends(self.seconds)
        return late / early

    def _ends(self, values: list[float]) -> tuple[float, float]:
        early = values[WARM_FRAMES : WARM_FRAMES + WINDOW]
        return statistics.median(early), statistics.median(values[-WINDOW:])


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The command's arguments."""
    parser.add_argument("--frames", type=int, default=1000, help="frames to track (default: %(default)s)")
    parser.add_argument("--targets", type=int, default=2, help="targets at once (default: %(default)s)")
    parser.add_argument("--model", default="mini", help="SAM 2 model, with random weights (default: %(default)s)")


def run(arguments: argparse.Namespace) -> None:
    """Track generated pictures and print memory and time early and late."""
    if arguments.frames <= WARM_FRAMES:
        raise InputError(
            f"--frames is {arguments.frames}; it must be above {WARM_FRAMES}, after which growth is measured."
        )
    soak = run_soak(arguments.frames, arguments.targets, arguments.model)
    table = Table("frame", "resident memory, MB", "memory of the targets, MB", "step, ms")
    last = len(soak.seconds) - WINDOW
    for start in sorted({0, WARM_FRAMES, last // 2, last}):
        rows = slice(start, start + WINDOW)
        table.add_row(
            f"{start} to {start + WINDOW}",
            f"{statistics.median(soak.resident[rows]) / MEGABYTE:.1f}",
            f"{statistics.median(soak.bank[rows]) / MEGABYTE:.2f}",
            f"{statistics.median(soak.seconds[rows]) * 1e3:.1f}",
        )
    console = Console()
    console.print(table)
    console.print(
        f"After frame {WARM_FRAMES} resident memory grew by {soak.growth() / MEGABYTE:.1f} MB, "
        f"and a step takes {soak.slowdown():.2f} times as long."
    )


def run_soak(frames: int, targets: int, model: str) -> Soak:
    """Track `targets` boxes through generated pictures that change from frame to frame."""
    tracker = TextTracker.from_config(
        TrackerConfig(
            model=ModelConfig(name=model, checkpoint=UNTRAINED, device="cpu"),
            pruning=PruningConfig(),
            language=LanguageConfig(name=NONE),
            max_targets=targets,
        )
    )
    video = noise_video(32, (240, 320))
    for number in range(targets):
        tracker.set_box((20 + 30 * number, 40, 80, 80))
    soak = Soak()
    for index in track(range(frames), "tracking", transient=True):
        result = tracker.step(np.roll(video[index % len(video)], index, axis=1), index * 33_000_000)
        if index == WARM_FRAMES - 1:
            gc.collect()
        soak.resident.append(_resident_bytes())
        soak.bank.append(tracker.memory_bytes)
        soak.seconds.append(sum(result.stage_seconds.values()))
    return soak


def _resident_bytes() -> int:
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    return pages * 4096
