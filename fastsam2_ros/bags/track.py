"""`fastsam2 track`: every frame of bags, videos or folders of images, without ROS; the same on every run."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from fastsam2_ros.bags.frames import open_frames
from fastsam2_ros.bags.make import frame_count
from fastsam2_ros.bags.result_files import ResultFiles
from fastsam2_ros.bags.track_many import track_all
from fastsam2_ros.bags.track_one import Wanted, picture, run_track
from fastsam2_ros.bags.write import STORAGES
from fastsam2_ros.batch import workers
from fastsam2_ros.batch.progress import bar, tell_failed
from fastsam2_ros.batch.sources import find_sources, is_pattern
from fastsam2_ros.config import KINDS, MODELS, TrackerConfig, flat_options, from_mapping
from fastsam2_ros.errors import InputError
from fastsam2_ros.results import Box, TrackResult

EXAMPLE = 'fastsam2 track kitchen.mp4 --description "red mug" --model tiny --out out/mug'


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The command's arguments."""
    parser.add_argument(
        "source",
        nargs="+",
        help="bag, video file, or folder of JPEG and PNG images; several, or a glob such as 'recordings/*.mcap', get a "
        "folder each in --out, and what is done there already is not done again",
    )
    parser.add_argument("--description", default="", help="what to track, such as 'red mug'; several: 'red mug; spoon'")
    parser.add_argument(
        "--box", type=box, action="append", default=[], metavar="X,Y,W,H", help="track what is in this box (pixels)"
    )
    parser.add_argument("--example", type=Path, metavar="FILE", help="track what looks like the thing in this picture")
    parser.add_argument("--topic", default="", help="the bag's image topic, where it has several")
    parser.add_argument("--out", type=Path, default=Path("out/track"), help="new folder (default: %(default)s)")
    parser.add_argument("--tokens", action="store_true", help="also make tokens.mp4: which tokens are kept, and why")
    parser.add_argument("--max-frames", type=frame_count, metavar="N", help="end after N frames")
    parser.add_argument("--storage", choices=STORAGES, default="mcap", help="of the output bag (default: %(default)s)")
    workers.add_arguments(parser)
    add_settings(parser)


def run(arguments: argparse.Namespace) -> None:
    """Track, and write the results."""
    if not arguments.description.strip() and not arguments.box and arguments.example is None:
        raise InputError("Nothing to track: give --description 'red mug', --box x,y,w,h, or --example mug.jpg.")
    # Whatever is wrong with settings or source is told before the models are loaded.
    wanted = Wanted(
        config=settings(arguments),
        description=arguments.description,
        boxes=tuple(arguments.box),
        example=arguments.example,
        topic=arguments.topic,
        max_frames=arguments.max_frames,
        storage=arguments.storage,
        tokens=arguments.tokens,
    )
    if wanted.example is not None:
        picture(wanted.example, wanted.config.max_megapixels)
    if len(arguments.source) > 1 or is_pattern(arguments.source[0]):
        sources = find_sources(arguments.source, arguments.out)
        team = workers.of_arguments(arguments, wanted.config.model.device)
        tell_failed(track_all(sources, wanted, arguments.out, team), len(sources))
        print(f"{arguments.out}: {len(sources)} recordings")
    elif arguments.jobs or arguments.cores or arguments.ray:
        raise InputError("--jobs, --cores and --ray are for several recordings; name more than one, or a glob.")
    else:
        print(f"{arguments.out}: {_track_one(Path(arguments.source[0]), wanted, arguments.out)} frames")


def _track_one(source: Path, wanted: Wanted, out: Path) -> int:
    """Track with a progress bar over the frames.

    Returns:
        number of frames.
    """
    frames = open_frames(source, wanted.topic, wanted.config.max_megapixels)
    from fastsam2_ros.tracker import TextTracker

    tracker = wanted.aim(TextTracker.from_config(wanted.config))
    total = frames.length
    if wanted.max_frames is not None:
        total = wanted.max_frames if total is None else min(total, wanted.max_frames)
    # Last, so that no folder is left behind by what went wrong above.
    with ResultFiles(out, wanted.storage, wanted.tokens) as outputs, bar() as progress:
        task = progress.add_task("tracking", total=total)

        def show(result: TrackResult) -> None:
            progress.update(task, advance=1, description=f"{result.state.name.lower()}, {result.keep_ratio:.0%}")

        return run_track(frames, tracker, outputs, wanted.max_frames, show)


def add_settings(parser: argparse.ArgumentParser) -> None:
    """Arguments for `settings`."""
    parser.add_argument("--model", help=f"SAM 2 model: {', '.join(MODELS)}, or the path of a sam2 YAML file")
    parser.add_argument("--checkpoint", help="its weights, where they are not the released ones; or 'untrained'")
    parser.add_argument("--device", help="auto, cpu, cuda, cuda:1 ...")
    parser.add_argument("--keep-ratio", type=float, help="fixed share of tokens, (0, 1]; 0: by what moves")
    parser.add_argument(
        "--set", action="append", default=[], metavar="NAME=VALUE", help=f"any of: {', '.join(flat_options())}"
    )


def settings(arguments: argparse.Namespace) -> TrackerConfig:
    """The tracker's configuration from the arguments of `add_settings`.

    Raises:
        InputError: a setting that does not exist, or a value that it cannot have.
    """
    values = _parsed(arguments.set)
    shortcuts = {
        "model.name": arguments.model,
        "model.checkpoint": arguments.checkpoint,
        "model.device": arguments.device,
        "pruning.keep_ratio": arguments.keep_ratio,
    }
    values.update({name: value for name, value in shortcuts.items() if value is not None})
    return from_mapping(values)


def box(text: str) -> Box:
    """A box of a text such as 10,20,64,48: x, y, width, height in pixels."""
    try:
        x, y, width, height = (float(part) for part in text.split(","))
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is no box such as 10,20,64,48 (x,y,width,height)") from None
    return x, y, width, height


def _parsed(assignments: Sequence[str]) -> dict[str, Any]:
    """Values of NAME=VALUE texts, of the types that the settings have."""
    options = flat_options()
    values: dict[str, Any] = {}
    for assignment in assignments:
        name, equals, text = assignment.partition("=")
        if not equals:
            raise InputError(f"--set {assignment!r} has no '='; write it as NAME=VALUE.")
        kind = type(options[name].default) if name in options else str
        try:
            values[name] = kind(text)
        except ValueError:
            raise InputError(f"--set {name} is {text!r}; it must be {KINDS[kind]}.") from None
    return values
