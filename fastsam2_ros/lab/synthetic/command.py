"""`fastsam2 world`: clips of the generated world with their truth, as a data set or as bags."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path

from rich.progress import track

from fastsam2_ros.bags.make import image_size
from fastsam2_ros.bags.write import STORAGES
from fastsam2_ros.errors import InputError
from fastsam2_ros.lab.synthetic.world import HELD_OUT_SEED, LEVELS, WorldSequence, generate
from fastsam2_ros.lab.synthetic.write import IMAGE_TOPIC, write_bag, write_davis

EXAMPLE = "fastsam2 world out/world --level 3 --count 10 --format davis"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The command's arguments."""
    parser.add_argument("out", type=Path, help="new folder of the data set, or of the bags")
    parser.add_argument(
        "--seed",
        type=int,
        default=HELD_OUT_SEED,
        help=f"of the first clip; the next have the next seeds. Below {HELD_OUT_SEED}: for training (default: %(default)s)",
    )
    parser.add_argument(
        "--level",
        type=int,
        choices=LEVELS,
        help="1: one slow thing, 2: look-alikes, 3: all difficulties (default: in turn)",
    )
    parser.add_argument("--count", type=int, default=1, help="number of clips (default: %(default)s)")
    parser.add_argument("--frames", type=int, default=60, help="frames of each clip, 30 Hz (default: %(default)s)")
    parser.add_argument(
        "--size", type=image_size, default=(512, 384), metavar="WxH", help="of the frames, pixels (default: 512x384)"
    )
    parser.add_argument(
        "--format",
        choices=("davis", "bag"),
        default="davis",
        help=f"davis: a folder as DAVIS 2017; bag: for each clip a bag, with images on {IMAGE_TOPIC}, and depth "
        "(default: %(default)s)",
    )
    parser.add_argument("--storage", choices=STORAGES, default="mcap", help="of bags (default: %(default)s)")


def run(arguments: argparse.Namespace) -> None:
    """Make the clips."""
    if arguments.count < 1:
        raise InputError(f"--count is {arguments.count}; it must be 1 or more.")
    clips = _clips(arguments)
    if arguments.format == "davis":
        names = write_davis(clips, arguments.out)
        print(f"{arguments.out}: {len(names)} clips")
        return
    for clip in clips:
        # One clip is a bag of its own name; several lie in a folder.
        path = arguments.out if arguments.count == 1 else arguments.out / f"level{clip.level}_{clip.seed:07d}"
        path.parent.mkdir(parents=True, exist_ok=True)
        write_bag(clip, path, arguments.storage)
        print(f"{path}: {clip.description!r}, {len(clip.frames)} frames")


def _clips(arguments: argparse.Namespace) -> Iterator[WorldSequence]:
    width, height = arguments.size
    for number in track(range(arguments.count), "clips"):
        level = arguments.level or LEVELS[number % len(LEVELS)]
        seed, with_depth = arguments.seed + number, arguments.format == "bag"
        yield generate(seed, level, arguments.frames, (height, width), with_depth=with_depth)
