"""`fastsam2 demo`: a description tracked through a bag over ROS 2, in separate processes, with pictures and numbers."""

from __future__ import annotations

import argparse
import json
import os
import shutil
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from fastsam2_ros.bags.frames import open_frames
from fastsam2_ros.bags.make import image_size
from fastsam2_ros.bags.track import add_settings
from fastsam2_ros.config import TrackerConfig
from fastsam2_ros.errors import BagError, InputError
from fastsam2_ros.lab.demo import pictures, report
from fastsam2_ros.lab.demo.footage import Footage, generated, shortened
from fastsam2_ros.lab.demo.recording import Recording
from fastsam2_ros.lab.demo.session import run_session
from fastsam2_ros.lab.demo.settings import demo_settings, write_parameters
from fastsam2_ros.lab.own_graph import own_graph

EXAMPLE = 'fastsam2 demo --video kitchen.mp4 --description "red mug" --model tiny'

_MADE = {
    "overlay.mp4": "what was tracked, frame by frame",
    "tokens.mp4": "which tokens were kept, and the cue that each was kept for",
    "contact_sheet.png": "twelve of these pictures",
    "keep_ratio.png": "motion and keep ratio over time",
    "table.txt": "the table above",
    "summary.json": "the same for programs, and every frame's numbers",
    "node.yaml": "the node's parameters",
    "source": "the bag that was replayed",
    "recording": "the bag that was recorded: images, mask, labels, tracks, tokens, status",
    "logs": "what the processes printed",
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The command's arguments."""
    footage = parser.add_mutually_exclusive_group()
    footage.add_argument(
        "--video", type=Path, help="footage: a video or a folder of images (default: a generated scene)"
    )
    footage.add_argument("--bag", type=Path, help="footage: a bag")
    parser.add_argument("--topic", default="", help="the bag's image topic, where it has several")
    parser.add_argument("--description", default="", help="what to track, such as 'red mug' (default: the scene's own)")
    parser.add_argument("--frames", type=int, default=120, help="take at most so many frames (default: %(default)s)")
    parser.add_argument("--rate", type=float, default=10.0, help="take at most so many a second (default: %(default)s)")
    parser.add_argument(
        "--size",
        type=image_size,
        default=(640, 480),
        metavar="WxH",
        help="scale frames down to this (default: 640x480)",
    )
    parser.add_argument("--out", type=Path, default=Path("out/demo"), help="folder of results (default: %(default)s)")
    add_settings(parser)


def run(arguments: argparse.Namespace) -> None:
    """Track, and show what came of it."""
    if arguments.frames < 1 or not 0 < arguments.rate < 1e9:
        raise InputError(f"--frames is {arguments.frames} and --rate {arguments.rate}; both must be above 0.")
    named = arguments.video or arguments.bag
    if named and not arguments.description.strip():
        raise InputError(f"What is to be tracked in {named}? Say it with --description 'red mug' (make: DESCRIPTION=).")
    folder = arguments.out
    if named and folder.resolve() in named.resolve().parents:
        raise InputError(
            f"{named} lies in {folder}, which is emptied first: move it, or name another folder with --out."
        )
    config = demo_settings(arguments)
    _clear(folder)
    os.environ.update(own_graph(os.environ))
    columns = (
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
    )
    console = Console()
    with Progress(*columns, console=console) as progress:
        task = progress.add_task("making a bag", total=1)
        footage = _footage(arguments, folder / "source")
        progress.update(task, completed=1)
        summary = _track(footage, config, folder, progress)
    view = report.table(summary)
    console.print(view)
    with (folder / "table.txt").open("w", encoding="utf-8") as file:
        Console(file=file, width=110).print(view)
    for name, meaning in _MADE.items():
        console.print(f"{folder / name}", style="bold", end="  ", highlight=False)
        console.print(meaning, highlight=False)


def _footage(arguments: argparse.Namespace, path: Path) -> Footage:
    """The bag to replay."""
    limits = {"frames": arguments.frames, "rate": arguments.rate, "size": arguments.size}
    named = arguments.video or arguments.bag
    if named is None:
        return generated(path, arguments.description, **limits)
    return shortened(path, open_frames(named, arguments.topic), arguments.description, **limits)


def _track(footage: Footage, config: TrackerConfig, folder: Path, progress: Progress) -> dict[str, Any]:
    parameters = folder / "node.yaml"
    write_parameters(parameters, config)
    run_session(footage, parameters, folder / "recording", folder / "logs", progress)
    recording = Recording(folder / "recording")
    scores = pictures.draw_all(footage, recording, folder, progress)
    summary = report.summarise(footage, recording, scores)
    pictures.plot(folder / "keep_ratio.png", summary)
    (folder / "summary.json").write_text(json.dumps(summary, indent=1, ensure_ascii=False), encoding="utf-8")
    return summary


def _clear(folder: Path) -> None:
    """Make the folder, and remove what an earlier demo left there, and nothing else."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name in _MADE:
            path = folder / name
            if path.is_dir():
                shutil.rmtree(path)
            else:
                path.unlink(missing_ok=True)
    except OSError as error:
        raise BagError(f"The folder {folder} cannot be used for the results: {error}") from error
