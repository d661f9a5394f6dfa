"""`fastsam2 looks`: how like a target's remembered look is to itself later, and to other things.

The figures that the thresholds of `seen` were chosen by: what a search finds must look like what was lost.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from rich.console import Console
from rich.progress import track
from rich.table import Table

from fastsam2_ros.bags.track import add_settings, settings
from fastsam2_ros.images import RgbImage
from fastsam2_ros.lab.evaluation.datasets import open_dataset
from fastsam2_ros.lab.synthetic.world import LEVELS, generate
from fastsam2_ros.look import Look, likeness, looks_of
from fastsam2_ros.streaming.loading import load_sam2
from fastsam2_ros.streaming.model import StreamingSam2
from fastsam2_ros.streaming.prompts import Prompt

EXAMPLE = "fastsam2 looks --data ~/data/DAVIS --model mini"
FIRST_SEED = 500_000
"""Of the generated sequences: neither held out nor trained on first."""
SHOTS = 7
"""Frames of a sequence that are compared."""
SMALLEST = 0.002
"""Masks that cover less of the frame are left out: they hold less than two tokens."""
THRESHOLDS = (0.45, 0.6, 0.75, 0.85, 0.9)

Shot = tuple[RgbImage, dict[int, npt.NDArray[np.bool_]]]
"""A frame, and the masks in it by object."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The command's arguments."""
    parser.add_argument(
        "--worlds", type=int, default=24, metavar="N", help="generated sequences (default: %(default)s)"
    )
    parser.add_argument(
        "--data",
        type=Path,
        nargs="+",
        default=[],
        metavar="FOLDER",
        help="data sets, as 'fastsam2 evaluate' takes them",
    )
    add_settings(parser)


def run(arguments: argparse.Namespace) -> None:
    """Print, for each data set and threshold, how often the same thing and another one would be refused."""
    sam = load_sam2(settings(arguments).model).streaming
    title = "refused below a likeness: the same thing / another one"
    table = Table("data", "pairs", *(f"{each:g}" for each in THRESHOLDS), title=title)
    sources = {"generated": _worlds(arguments.worlds), **{folder.name: _shots(folder) for folder in arguments.data}}
    for name, sequences in sources.items():
        same, other = likenesses(sam, track(sequences, f"{name} ", console=Console(stderr=True)))
        shares = [f"{_below(same, each)} / {_below(other, each)}" for each in THRESHOLDS]
        table.add_row(name, f"{len(same)} / {len(other)}", *shares)
    Console().print(table)


@torch.inference_mode()
def likenesses(sam: StreamingSam2, sequences: Iterable[list[Shot]]) -> tuple[list[float], list[float]]:
    """Likeness of the looks of one thing in two frames, and of two things: each of a sequence's frames with each later one."""
    same: list[float] = []
    other: list[float] = []
    for shots in sequences:
        looks = [_looks(sam, *shot) for shot in shots]
        for index, before in enumerate(looks):
            for later in looks[index + 1 :]:
                for number, look in before.items():
                    for another, candidate in later.items():
                        (same if number == another else other).append(likeness(candidate, [look]))
    return same, other


def _looks(sam: StreamingSam2, frame: RgbImage, masks: dict[int, npt.NDArray[np.bool_]]) -> dict[int, Look]:
    features = sam.encode(frame)
    large = {number: mask for number, mask in masks.items() if mask.mean() >= SMALLEST}
    decoded = {number: sam.decode_prompt(features, Prompt.from_mask(mask)) for number, mask in large.items()}
    return {number: looks_of(frame, features, each.low_res)[0] for number, each in decoded.items()}


def _worlds(count: int) -> Iterator[list[Shot]]:
    for index in range(count):
        world = generate(FIRST_SEED + index, LEVELS[index % len(LEVELS)], 40)
        chosen = np.linspace(0, len(world.frames) - 1, SHOTS).astype(int)
        yield [(world.frames[t], {int(n): world.ids[t] == n for n in np.unique(world.ids[t]) if n}) for t in chosen]


def _shots(folder: Path) -> Iterator[list[Shot]]:
    dataset = open_dataset(folder)
    for name in dataset.names:
        sequence = dataset.open(name)
        chosen = np.linspace(0, len(sequence.annotated) - 1, SHOTS).astype(int)
        frames = [sequence.annotated[at] for at in chosen]
        yield [(sequence.footage.frame(t), dict(sequence.footage.truth(t).masks)) for t in frames]


def _below(values: list[float], threshold: float) -> str:
    return f"{np.mean(np.array(values) < threshold):.0%}" if values else "-"
