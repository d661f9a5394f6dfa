"""`fastsam2 situations`: found, hidden, gone and back, looked for in vain; how often the tracker does right, in one table.

What is filmed are sequences of the generated world that no training has seen, of levels 2 and 3 in turn, 15 frames a second.
"""

from __future__ import annotations

import argparse
import gc
import statistics
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from rich.console import Console
from rich.progress import track
from rich.table import Table

from fastsam2_ros.bags.track import add_settings, settings
from fastsam2_ros.errors import InputError
from fastsam2_ros.lab.evaluation.metrics import region_similarity
from fastsam2_ros.lab.evaluation.run import FOUND_IOU
from fastsam2_ros.lab.process_usage import MEGABYTE
from fastsam2_ros.lab.synthetic import plots
from fastsam2_ros.lab.synthetic.scene import Plot
from fastsam2_ros.lab.synthetic.world import HELD_OUT_SEED, RATE, WorldSequence, generate
from fastsam2_ros.process_memory import resident_bytes
from fastsam2_ros.tracker import TextTracker

EXAMPLE = "fastsam2 situations --sequences 20 --only returns hidden"

FIRST_SEED = HELD_OUT_SEED + 200_000
SIZE = (288, 384)
STRIDE = 2
"""Of the 30 Hz world's frames: 15 a second."""
STARTS = 0.8
"""Seconds after which a target is gone or hidden."""
AWAY, HIDDEN = 1.0, 0.5
"""Seconds for which it is so."""
WITHIN = 10
"""Frames in which it must be found again."""
ABSENT_TEXTS = 3
"""Descriptions of what is not there that are asked for in a frame."""
WARM_FRAMES = 100
"""Of a search in vain, before growth is measured."""
NOWHERE, NOWHERE_SHAPE = "yellow umbrella", "umbrella"
CLIP = 40
"""Frames of a clip in which it is not."""

Mask = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Row:
    """One line of the table.

    Attributes:
        situation: in words.
        aim: what the figure should be.
        figure: what it is.
        of: how many it is of.
    """

    situation: str
    aim: str
    figure: str
    of: str


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The command's arguments."""
    parser.add_argument("--sequences", type=int, default=20, metavar="N", help="of each kind (default: %(default)s)")
    parser.add_argument(
        "--frames", type=int, default=1000, metavar="N", help="of a search in vain (default: %(default)s)"
    )
    parser.add_argument("--only", nargs="+", choices=sorted(SITUATIONS), help="of the situations (default: all)")
    add_settings(parser)


def run(arguments: argparse.Namespace) -> None:
    """Film the situations, and print the table."""
    if arguments.sequences < 1 or arguments.frames <= WARM_FRAMES:
        raise InputError(
            f"--sequences must be 1 or more, and --frames above {WARM_FRAMES}, from where growth is measured."
        )
    tracker = TextTracker.from_config(settings(arguments))
    table = Table("situation", "aim", "is", "of")
    for name in arguments.only or SITUATIONS:
        for row in SITUATIONS[name](tracker, arguments):
            table.add_row(row.situation, row.aim, row.figure, row.of)
    Console(width=80).print(table)


def back_within(visible: Sequence[float], overlaps: Sequence[float]) -> bool | None:
    """Whether a target is found again in time after it was out of sight.

    Args:
        visible: its visible part by frame.
        overlaps: IoU of its mask with the truth by frame.

    Returns:
        None: it never was out of sight, or did not come back by half.
    """
    gone = next((index for index, share in enumerate(visible) if share == 0), len(visible))
    back = next((index for index in range(gone, len(visible)) if visible[index] >= 0.5), None)
    return None if back is None else max(overlaps[back : back + WITHIN + 1]) > FOUND_IOU


def another_taken(ids: npt.NDArray[np.uint8], mask: Mask, target: int) -> bool:
    """Whether a mask, bool (H, W), lies on another thing of a frame's ids, (H, W), for the most part."""
    counts = np.bincount(ids[mask], minlength=target + 1)
    counts[[0, target]] = 0
    return bool(counts.sum() > mask.sum() / 2)


def _first_frames(tracker: TextTracker, arguments: argparse.Namespace) -> Iterator[Row]:
    found, accepted, asked = [], 0, 0
    for world in _worlds(arguments.sequences, 1, "first frames"):
        found.append(_asked(tracker, world, world.description, target=True))
        for text in world.absent[:ABSENT_TEXTS]:
            accepted += _asked(tracker, world, text, target=False)
            asked += 1
    yield Row("found in the first frame among look-alikes", "≥ .92", _share(found), f"{len(found)}")
    yield Row("something absent is accepted there", "≤ .03", f"{accepted / asked:.2f}", f"{asked}")


def _asked(tracker: TextTracker, world: WorldSequence, text: str, *, target: bool) -> bool:
    """Whether a text finds the target, or anything, in a world's first frame."""
    tracker.reset()
    tracker.set_target(text)
    (found,) = tracker.step(world.frames[0], 0).objects
    return region_similarity(world.ids[0] == world.target, found.mask) > FOUND_IOU if target else found.area > 0


def _returns(tracker: TextTracker, arguments: argparse.Namespace) -> Iterator[Row]:
    plot = plots.leaves(STARTS, AWAY, elsewhere=True)
    back, taken = [], []
    for world in _worlds(arguments.sequences, _frames(STARTS + AWAY), "leaves and returns", plot):
        masks = _tracked(tracker, world)
        visible = world.visible[:, world.target - 1]
        again = back_within(visible.tolist(), _overlaps(world, masks))
        if again is not None:
            back.append(again)
            pairs = zip(visible, world.ids, masks, strict=True)
            taken.append(any(share == 0 and another_taken(ids, mask, world.target) for share, ids, mask in pairs))
    yield Row(f"away for {AWAY:g} s, back elsewhere: found in {WITHIN} frames", "≥ .90", _share(back), f"{len(back)}")
    yield Row("another thing is taken meanwhile", "≤ .05", _share(taken), f"{len(taken)}")


def _hidden(tracker: TextTracker, arguments: argparse.Namespace) -> Iterator[Row]:
    back = []
    for world in _worlds(arguments.sequences, _frames(STARTS + HIDDEN), "hidden", plots.hidden(STARTS, HIDDEN)):
        visible = world.visible[:, world.target - 1].tolist()
        # What covers it is not always large enough.
        if back_within(visible, [0.0] * len(visible)) is not None:
            again = back_within(visible, _overlaps(world, _tracked(tracker, world)))
            back.append(again is True)
    yield Row(f"hidden for {HIDDEN:g} s: the same id in {WITHIN} frames", "≥ .95", _share(back), f"{len(back)}")


def _changed(tracker: TextTracker, arguments: argparse.Namespace) -> Iterator[Row]:
    shown = frames = 0
    for world in _worlds(arguments.sequences, 5, "another description"):
        tracker.reset()
        tracker.set_target(world.description)
        old: set[int] = set()
        for index, (frame, stamp) in enumerate(zip(world.frames, world.stamps_ns.tolist(), strict=True)):
            if index == 3:
                old = {target.id for target in tracker.targets}
                tracker.set_target(world.absent[0])
            objects = tracker.step(frame, stamp).objects
            frames += index >= 3
            shown += any(each.id in old and each.id and each.area for each in objects)
    yield Row("description changed: frames that show the old target", "0", f"{shown}", f"{frames}")


def _search(tracker: TextTracker, arguments: argparse.Namespace) -> Iterator[Row]:
    tracker.reset()
    tracker.set_target(NOWHERE)
    finds, resident, early = 0, 0, 0
    for index, frame in zip(range(arguments.frames), _without(NOWHERE_SHAPE), strict=False):
        (target,) = tracker.step(frame, round(index * STRIDE / RATE * 1e9)).objects
        if target.id:
            finds += 1
            tracker.reset()
            tracker.set_target(NOWHERE)
        if index in (WARM_FRAMES, arguments.frames - 1):
            gc.collect()
            early, resident = early or resident_bytes(), resident_bytes()
    yield Row(
        "nothing in sight: false finds per 1,000 frames",
        "≤ 1",
        f"{1000 * finds / arguments.frames:.1f}",
        f"{arguments.frames}",
    )
    yield Row("growth of memory meanwhile, MB", "0", f"{(resident - early) / MEGABYTE:.0f}", f"{arguments.frames}")


def _four(tracker: TextTracker, arguments: argparse.Namespace) -> Iterator[Row]:
    world = next(each for each in _worlds(20, CLIP, "") if len(each.objects) >= 4)
    trackers = (tracker, tracker.sibling())
    seconds: tuple[list[float], list[float]] = ([], [])
    tracker.reset()
    things = sorted(np.unique(world.ids[0]).tolist(), key=lambda number: -np.count_nonzero(world.ids[0] == number))
    for each, count in zip(trackers, (1, 4), strict=True):
        for number in [number for number in things if number][:count]:
            each.set_mask(world.ids[0] == number)
    for frame, stamp in zip(world.frames, world.stamps_ns.tolist(), strict=True):
        (features,) = tracker.encode([frame])
        for each, taken in zip(trackers, seconds, strict=True):
            taken.append(sum(each.step(frame, stamp, features=features).stage_seconds.values()))
    one, four = (statistics.median(taken[2:]) for taken in seconds)
    yield Row("a step with four targets over one with one", "< 2", f"{four / one:.2f}", f"{CLIP} frames")


SITUATIONS: dict[str, Callable[[TextTracker, argparse.Namespace], Iterator[Row]]] = {
    "first": _first_frames,
    "returns": _returns,
    "hidden": _hidden,
    "changed": _changed,
    "search": _search,
    "four": _four,
}


def _worlds(count: int, frames: int, what: str, plot: Plot | None = None) -> Iterator[WorldSequence]:
    numbers = track(range(count), what, console=Console(stderr=True), transient=True) if what else range(count)
    for number in numbers:
        yield generate(FIRST_SEED + number, 2 + number % 2, frames, SIZE, STRIDE, plot=plot)


def _without(shape: str) -> Iterator[npt.NDArray[np.uint8]]:
    """Frames of 256 x 256 pixels without a thing of that shape, without end."""
    number = 0
    while True:
        world = generate(FIRST_SEED + number, 2 + number % 2, CLIP, (256, 256), STRIDE)
        if all(each.shape != shape for each in world.objects):
            yield from world.frames
        number += 1


def _tracked(tracker: TextTracker, world: WorldSequence) -> list[Mask]:
    """The target's masks, its first one given and its description too."""
    tracker.reset()
    tracker.set_mask(world.ids[0] == world.target, world.description)
    pairs = zip(world.frames, world.stamps_ns.tolist(), strict=True)
    return [tracker.step(frame, stamp).objects[0].mask for frame, stamp in pairs]


def _overlaps(world: WorldSequence, masks: Sequence[Mask]) -> list[float]:
    return [region_similarity(ids == world.target, mask) for ids, mask in zip(world.ids, masks, strict=True)]


def _frames(seconds: float) -> int:
    """Of a sequence in which a target comes back then, and in which it can be found again."""
    return round((seconds + plots.CROSSING_SECONDS / 2) * RATE / STRIDE) + WITHIN


def _share(answers: Sequence[bool]) -> str:
    return f"{np.mean(answers):.2f}" if answers else "-"
