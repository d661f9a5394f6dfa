"""`fastsam2 soak`: memory, processor time of a step, threads and open files must not grow with the length of the video."""

from __future__ import annotations

import argparse
import gc
import itertools
import statistics
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field

import numpy as np
from rich.console import Console
from rich.progress import Progress, track
from rich.table import Table

from fastsam2_ros.config import UNTRAINED, LanguageConfig, ModelConfig, TrackerConfig
from fastsam2_ros.errors import InputError
from fastsam2_ros.lab.evaluation.upstream import noise_video
from fastsam2_ros.lab.process_usage import MEGABYTE, ProcessUsage
from fastsam2_ros.language.search import NONE
from fastsam2_ros.tracker import TextTracker

EXAMPLE = "fastsam2 soak --frames 1000"
CHANGE_FRAMES = 5
"""With `--changes`, something is described, given or ended every so many frames."""
TEXTS = ("red ball; blue box", "Red Ball", "green mug; red ball; yellow cube", "")
WARM_FRAMES = 50
WINDOW = 25


@dataclass
class Soak:
    """What was seen over a run.

    Attributes:
        resident: resident memory of the process after each frame, bytes.
        bank: memory of the tracker's targets after each frame, bytes.
        seconds: processor time of each step: the clock goes with whatever else the machine does.
        threads, files: of the process after each frame.
        highest_id: that any target had.
    """

    resident: list[int] = field(default_factory=list)
    bank: list[int] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)
    threads: list[int] = field(default_factory=list)
    files: list[int] = field(default_factory=list)
    highest_id: int = 0

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
    parser.add_argument("--minutes", type=float, help="track for so long instead, however many frames that are")
    parser.add_argument("--targets", type=int, default=2, help="targets at once (default: %(default)s)")
    parser.add_argument("--model", default="mini", help="SAM 2 model, with random weights (default: %(default)s)")
    parser.add_argument(
        "--changes",
        action="store_true",
        help="descriptions, boxes and masks come and go, and are searched, all the time",
    )


def run(arguments: argparse.Namespace) -> None:
    """Track generated pictures and print memory and processor time early and late."""
    if arguments.frames <= WARM_FRAMES:
        raise InputError(
            f"--frames is {arguments.frames}; it must be above {WARM_FRAMES}, after which growth is measured."
        )
    soak = run_soak(arguments.frames, arguments.targets, arguments.model, arguments.changes, arguments.minutes)
    table = Table("frame", "resident, MB", "targets' memory, MB", "step, ms of processor", "threads", "files")
    last = len(soak.seconds) - WINDOW
    for start in sorted({0, WARM_FRAMES, last // 2, last}):
        rows = slice(start, start + WINDOW)
        table.add_row(
            f"{start} to {start + WINDOW}",
            f"{statistics.median(soak.resident[rows]) / MEGABYTE:.1f}",
            f"{statistics.median(soak.bank[rows]) / MEGABYTE:.2f}",
            f"{statistics.median(soak.seconds[rows]) * 1e3:.1f}",
            f"{max(soak.threads[rows])}",
            f"{max(soak.files[rows])}",
        )
    console = Console()
    console.print(table)
    console.print(
        f"{len(soak.seconds)} frames in {sum(soak.seconds) / 60:.1f} minutes of processor time. "
        f"After frame {WARM_FRAMES} resident memory grew by {soak.growth() / MEGABYTE:.1f} MB, "
        f"and a step takes {soak.slowdown():.2f} times as long. The highest id was {soak.highest_id}."
    )


def run_soak(frames: int, targets: int, model: str, changes: bool = False, minutes: float | None = None) -> Soak:
    """Track through generated pictures that change from frame to frame.

    Args:
        frames: how many.
        targets: at most, at once.
        model: `ModelConfig.name`.
        changes: descriptions, boxes and masks come and go; else as many boxes stay all the time.
        minutes: for how long, instead of `frames`, but for `WARM_FRAMES` and `WINDOW` at least.
    """
    tracker = TextTracker.from_config(
        TrackerConfig(
            model=ModelConfig(name=model, checkpoint=UNTRAINED, device="cpu"),
            language=LanguageConfig(weights=UNTRAINED) if changes else LanguageConfig(name=NONE),
            max_targets=targets,
        )
    )
    video = noise_video(32, (240, 320))
    for number in range(0 if changes else targets):
        tracker.set_box((20 + 30 * number, 40, 80, 80))
    soak = Soak()
    for index in _numbers(frames, minutes):
        if changes and index % CHANGE_FRAMES == 0:
            _change(tracker, index // CHANGE_FRAMES)
        frame, begin = np.roll(video[index % len(video)], index, axis=1), time.process_time()
        result = tracker.step(frame, index * 33_000_000)
        soak.seconds.append(time.process_time() - begin)
        if index == WARM_FRAMES - 1:
            gc.collect()
        usage = ProcessUsage.of()
        soak.resident.append(usage.resident)
        soak.bank.append(tracker.memory_bytes)
        soak.threads.append(usage.threads)
        soak.files.append(usage.files)
        soak.highest_id = max([soak.highest_id, *(each.id for each in result.objects)])
    return soak


def _numbers(frames: int, minutes: float | None) -> Iterator[int]:
    """Of frames, with a progress bar."""
    if minutes is None:
        yield from track(range(frames), "tracking", transient=True)
        return
    seconds, begin = round(60 * minutes), time.monotonic()
    with Progress(transient=True) as progress:
        task = progress.add_task("tracking", total=seconds)
        for index in itertools.count():
            passed = time.monotonic() - begin
            progress.update(task, completed=passed)
            if passed >= seconds and index >= WARM_FRAMES + WINDOW:
                return
            yield index


def _change(tracker: TextTracker, number: int) -> None:
    """One request or another; a refusal is a part of it."""
    mask = np.zeros((240, 320), bool)
    mask[100:160, 100 + number % 100 : 180 + number % 100] = True
    requests = (
        lambda: tracker.set_target(TEXTS[number // 3 % len(TEXTS)]),
        lambda: tracker.set_box((20 + number % 200, 40, 80, 80)),
        lambda: tracker.set_mask(mask, "thing"),
    )
    with suppress(InputError):
        requests[number % 3]()
