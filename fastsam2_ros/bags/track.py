"""`fastsam2 track`: every frame of a bag, video or folder of images, without ROS; the same on every run."""

from __future__ import annotations

import argparse
import logging
from collections.abc import Sequence
from itertools import islice
from pathlib import Path
from typing import Any, Protocol

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from fastsam2_ros.bags.frames import FrameSource, open_frames
from fastsam2_ros.bags.make import frame_count
from fastsam2_ros.bags.result_files import ResultFiles
from fastsam2_ros.bags.rising_stamps import RisingStamps
from fastsam2_ros.bags.write import STORAGES
from fastsam2_ros.config import KINDS, MODELS, TrackerConfig, flat_options, from_mapping
from fastsam2_ros.errors import BagError, InputError
from fastsam2_ros.images import ImageDecoder, RgbImage
from fastsam2_ros.results import Box, TrackResult

EXAMPLE = 'fastsam2 track kitchen.mp4 --description "red mug" --model tiny --out out/mug'

_log = logging.getLogger(__name__)


class Tracker(Protocol):
    """What `run_track` needs of a tracker; `TextTracker` is one."""

    def step(self, frame: RgbImage, stamp_ns: int, *, view_tokens: bool) -> TrackResult:
        """See `TextTracker.step`."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The command's arguments."""
    parser.add_argument("source", type=Path, help="bag, video file, or folder of JPEG and PNG images")
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
    add_settings(parser)


def run(arguments: argparse.Namespace) -> None:
    """Track, and write the results."""
    if not arguments.description.strip() and not arguments.box and arguments.example is None:
        raise InputError("Nothing to track: give --description 'red mug', --box x,y,w,h, or --example mug.jpg.")
    # Whatever is wrong with settings or source is told before the models are loaded.
    config = settings(arguments)
    frames = open_frames(arguments.source, arguments.topic, config.max_megapixels)
    example = None if arguments.example is None else _picture(arguments.example, config.max_megapixels)
    from fastsam2_ros.tracker import TextTracker

    tracker = TextTracker.from_config(config)
    tracker.set_target(arguments.description)
    if example is not None:
        tracker.set_example(example)
    for item in arguments.box:
        tracker.set_box(item)
    # Last, so that no folder is left behind by what went wrong above.
    with ResultFiles(arguments.out, arguments.storage, arguments.tokens) as outputs:
        count = run_track(frames, tracker, outputs, arguments.max_frames)
    print(f"{arguments.out}: {count} frames")


def run_track(frames: FrameSource, tracker: Tracker, outputs: ResultFiles, max_frames: int | None = None) -> int:
    """Step through all frames and write the results, with a progress bar on stderr.

    Returns:
        number of frames.

    Raises:
        BagError: the source is damaged or the disk full; results of the frames before are written.
    """
    total = frames.length
    if max_frames is not None:
        total = max_frames if total is None else min(total, max_frames)
    count, stamps = 0, RisingStamps(frames.name)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True)) as progress:
        task = progress.add_task("tracking", total=total)
        try:
            for frame in islice(frames, max_frames):
                result = tracker.step(frame.rgb, stamps.of(frame), view_tokens=outputs.wants_tokens)
                for warning in result.warnings:
                    _log.warning("frame %d: %s", count, warning)
                outputs.write(count, frame, result)
                count += 1
                progress.update(task, advance=1, description=f"{result.state.name.lower()}, {result.keep_ratio:.0%}")
        except BagError as error:
            raise BagError(f"{error} The results of the {count} frames before are in {outputs.folder}.") from error
    return count


def _picture(path: Path, max_megapixels: float) -> RgbImage:
    """A picture file, upright.

    Raises:
        InputError: it cannot be read.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        raise InputError(f"The example {path} cannot be read ({error.strerror}); give a JPEG or PNG file.") from error
    try:
        return ImageDecoder(max_megapixels).decode_compressed(path.suffix.removeprefix("."), data)
    except InputError as error:
        raise InputError(f"The example {path}: {error}") from error


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
