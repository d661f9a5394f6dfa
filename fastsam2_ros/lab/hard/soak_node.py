"""`fastsam2 soak-node`: memory, threads, files, shared memory and log of the node do not grow, however long it runs."""

from __future__ import annotations

import argparse
import itertools
import os
import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from threading import Event
from typing import TYPE_CHECKING

from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from fastsam2_ros.bags.graph import joined_graph
from fastsam2_ros.errors import FastSam2Error, InputError
from fastsam2_ros.images import RgbImage
from fastsam2_ros.lab.demo.footage import scene
from fastsam2_ros.lab.own_graph import own_graph
from fastsam2_ros.lab.process_usage import MEGABYTE, ProcessUsage
from fastsam2_ros.lab.processes import Processes

if TYPE_CHECKING:
    from fastsam2_ros.lab.hard.peer import Peer

EXAMPLE = "fastsam2 soak-node --minutes 60 --rate 2"
_SIZE = (320, 240)
_FRAMES = 40
_PARTS = 10
"""The run is told in so many parts; the first is the warm-up."""
_SETTINGS = ("image_reliability:=reliable", "search_interval:=2.0")
"""Of the node: what cannot be found, searched twice a second, would take most of the time."""
_GROWTH = 20 * MEGABYTE


@dataclass(frozen=True)
class Sample:
    """The node at a moment.

    Attributes:
        usage: of its process.
        log_lines: that it has printed so far.
        received, processed: images so far.
        step_seconds: of the newest image; 0 where the newest status was not of one.
    """

    usage: ProcessUsage
    log_lines: int
    received: int
    processed: int
    step_seconds: float


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The command's arguments."""
    parser.add_argument("--minutes", type=float, default=60.0, help="how long (default: %(default)s)")
    parser.add_argument("--rate", type=float, default=2.0, help="images a second (default: %(default)s)")


def run(arguments: argparse.Namespace) -> None:
    """Run the node among others, and print what it took."""
    if not (arguments.minutes >= 0.2 and 0 < arguments.rate <= 100):
        raise InputError(f"--minutes is {arguments.minutes} and --rate {arguments.rate}; at least .2, and 0 to 100.")
    samples = soak_node(60 * arguments.minutes, arguments.rate)
    parts = in_parts(samples)
    console = Console(width=110)
    console.print(table(parts, arguments.minutes))
    grown = growth(parts)
    console.print(
        f"{samples[-1].received} images in {arguments.minutes:g} minutes, {samples[-1].processed} of them processed. "
        + ("Nothing grew." if not grown else f"Grew: {', '.join(grown)}.")
    )
    if grown:
        raise SystemExit(1)


def soak_node(seconds: float, rate: float) -> list[Sample]:
    """Give the shipped models' node images and commands for so long, over DDS; a sample for each second.

    Once a second a description comes that is known already. One that is new, a box, a reset, a setting, an image that
    cannot be used, and a subscriber of the overlay that leaves again come every ten seconds each.
    """
    from fastsam2_ros.lab.hard.peer import Peer

    os.environ.update(own_graph(os.environ))
    world = scene(_FRAMES, rate, _SIZE)
    with ExitStack() as stack:
        logs = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        node, stop = stack.enter_context(joined_graph("fastsam2_soak"))
        processes = stack.enter_context(Processes(logs))
        words = [word for setting in _SETTINGS for word in ("-p", setting)]
        processes.start("node", "fastsam2_ros.node.main", "--ros-args", *words)
        peer = stack.enter_context(Peer(node))
        peer.wait_until_active()
        known = [world.description]
        changes = _changes(peer, known)
        samples = []
        progress = stack.enter_context(Progress(transient=True))
        task = progress.add_task("soaking", total=round(seconds))
        begin, index, looked = time.monotonic(), 0, 0
        while (passed := time.monotonic() - begin) < seconds:
            rgb = world.frames[_forth_and_back(index)]
            peer.send(time.time_ns(), rgb)
            index += 1
            if int(passed) > looked:
                looked = int(passed)
                peer.describe(known[0])
                changes[looked % len(changes)](rgb)
                samples.append(_sample(processes, peer.status))
                progress.update(task, completed=looked)
            if _stopped(stop, begin + index / rate):
                raise KeyboardInterrupt
        processes.stop("node")
    return samples


def in_parts(samples: Sequence[Sample]) -> list[Sequence[Sample]]:
    """Cut into `_PARTS` pieces of the same length."""
    if len(samples) < 2 * _PARTS:
        raise FastSam2Error(f"Only {len(samples)} samples were taken; let it run longer.")
    edges = [len(samples) * part // _PARTS for part in range(_PARTS + 1)]
    return [samples[begin:end] for begin, end in itertools.pairwise(edges)]


def growth(parts: Sequence[Sequence[Sample]]) -> list[str]:
    """What was more in the last part than in the second; the first is the warm-up."""
    early, late = parts[1], parts[-1]
    grown = []
    if _median(late, "resident") > _median(early, "resident") + _GROWTH:
        grown.append("memory")
    grown += [name for name in ("threads", "files", "segments") if _most(late, name) > _most(early, name)]
    if _lines(late) > 2 * _lines(early) + 2:
        grown.append("log lines")
    return grown


def table(parts: Sequence[Sequence[Sample]], minutes: float) -> Table:
    """A row for each part."""
    found = Table("minutes", "images", "step, ms", "cores", "resident, MB", "threads", "files", "segments", "log lines")
    for number, part in enumerate(parts):
        first, last = part[0], part[-1]
        seconds = minutes * 60 / len(parts)
        found.add_row(
            f"{number * minutes / len(parts):.1f} to {(number + 1) * minutes / len(parts):.1f}",
            f"{last.processed - first.processed} of {last.received - first.received}",
            f"{1e3 * median([each.step_seconds for each in part if each.step_seconds] or [0.0]):.0f}",
            f"{(last.usage.cpu_seconds - first.usage.cpu_seconds) / seconds:.2f}",
            f"{_median(part, 'resident') / MEGABYTE:.1f}",
            *(f"{_most(part, name)}" for name in ("threads", "files", "segments")),
            f"{_lines(part)}",
        )
    return found


def _changes(peer: Peer, known: list[str]) -> list[Callable[[RgbImage], object]]:
    """What comes in turn, a second each."""
    ends: list[Callable[[], None]] = []
    texts = [known[0], f"{known[0]}; green unicorn"]

    def other_text(_: RgbImage) -> None:
        texts.reverse()
        known[0] = texts[0]

    def leave(_: RgbImage) -> None:
        while ends:
            ends.pop()()

    return [
        other_text,
        lambda _: peer.give_box(100, 80, 60, 60),
        lambda _: ends.append(peer.subscribe("overlay", lambda message: None)),
        lambda rgb: peer.send(time.time_ns(), rgb, step=1),
        leave,
        lambda _: peer.set_parameters(pruning__max_keep_ratio=0.3),
        lambda _: ends.append(peer.subscribe("tokens", lambda message: None)),
        lambda _: peer.set_parameters(pruning__max_keep_ratio=2.0),
        leave,
        lambda _: peer.reset(),
    ]


def _sample(processes: Processes, status: object) -> Sample:
    usage = ProcessUsage.of(processes.pid("node"))
    lines = processes.text("node").count("\n")
    return Sample(usage, lines, status.received, status.processed, status.processing_time)  # type: ignore[attr-defined]


def _forth_and_back(index: int) -> int:
    place = index % (2 * _FRAMES - 2)
    return min(place, 2 * _FRAMES - 2 - place)


def _stopped(stop: Event, due: float) -> bool:
    return stop.wait(max(0.0, due - time.monotonic()))


def _median(part: Sequence[Sample], name: str) -> float:
    return float(median(getattr(each.usage, name) for each in part))


def _most(part: Sequence[Sample], name: str) -> int:
    return max(getattr(each.usage, name) for each in part)


def _lines(part: Sequence[Sample]) -> int:
    return part[-1].log_lines - part[0].log_lines
