"""`fastsam2 train`: the mini models on the generated world, and a router for any model, on any footage."""

from __future__ import annotations

import argparse
import signal
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console
from rich.table import Table

from fastsam2_ros.bags.track import box, settings
from fastsam2_ros.config import MODELS, TrackerConfig, flat_options
from fastsam2_ros.errors import InputError
from fastsam2_ros.streaming.loading import find_device

if TYPE_CHECKING:
    from fastsam2_ros.lab.training.router import RouterTask

GOING_ON = 0.5
"""Share of the course that is left out by a training from weights: small images, and what an untrained model is spared."""

EXAMPLE = """fastsam2 train sam2 --minutes 60 --out runs/sam2
  fastsam2 train router --model tiny --data kitchen_bag --text "red mug" --minutes 20 --out runs/router"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The words after `fastsam2 train`."""
    subjects = parser.add_subparsers(dest="subject", required=True, metavar="{sam2,clip,router}", help="what to train")
    for name, summary in (("sam2", "the mini SAM 2"), ("clip", "the mini language model")):
        own = subjects.add_parser(name, help=summary, description=f"Train {summary} on the generated world.")
        _add_course(own)
        own.add_argument(
            "--weights",
            type=Path,
            help="start from this file's weights, half-way through the schedule (default: from nothing)",
        )
        own.add_argument(
            "--real",
            type=Path,
            metavar="FOLDER",
            help="real pictures to train on beside the generated world: a folder with train and val (docs/models.md)",
        )
        own.add_argument(
            "--workers",
            type=int,
            default=1,
            help="processes that make batches; 0: none but this one (default: %(default)s)",
        )
    subjects.choices["sam2"].add_argument(
        "--donor", type=Path, metavar="FILE", help="weights of an older mini, for the parts that still fit"
    )
    summary = "what chooses the tokens of a model, in place of the weighted sum"
    router = subjects.add_parser("router", help=summary, description=f"Train {summary}.")
    _add_course(router)
    _add_footage(router)


def run(arguments: argparse.Namespace) -> None:
    """Train.

    Raises:
        InputError: no end is given, the folder holds another training, or there is nothing to learn from.
        ModelError: the device, or a router's model, is not there; or weights to start from cannot be read.
        BagError: a bag or video cannot be read.
    """
    from fastsam2_ros.lab.training.loop import Settings, Task, Trainer, start_from

    workers = 0 if arguments.subject == "router" else arguments.workers
    if workers < 0 or arguments.seed < 0:
        raise InputError("--workers and --seed must be 0 or more.")
    device = find_device(arguments.device)
    weights = getattr(arguments, "weights", None)
    course = Settings(
        out=arguments.out,
        device=device,
        workers=workers,
        minutes=0.0 if arguments.steps else arguments.minutes,
        steps=arguments.steps,
        learning_rate={"sam2": 8e-4, "clip": 1e-3, "router": 3e-3}[arguments.subject],
        begun=0.0 if weights is None else GOING_ON,
    )
    task: Task
    if arguments.subject == "sam2":
        from fastsam2_ros.lab.training.sam2 import Sam2Task

        task = Sam2Task(device, arguments.seed, arguments.real, arguments.donor)
    elif arguments.subject == "clip":
        from fastsam2_ros.lab.training.clip import ClipTask

        task = ClipTask(device, arguments.out, arguments.seed, arguments.real)
    else:
        task = _router_task(arguments)
    if weights is not None:
        start_from(task, weights)
    # Whoever stops it, and however it was started, gets a checkpoint.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.default_int_handler)
    figures = Trainer(task, course).run()
    if arguments.subject == "router":
        Console().print(_comparison(figures))
    print(f"{arguments.out}: {task.name}.safetensors, log.jsonl, curves.png")


def _add_course(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--out",
        type=Path,
        required=True,
        help="folder for weights, log and curves; one that has a checkpoint is resumed",
    )
    end = parser.add_mutually_exclusive_group()
    end.add_argument("--minutes", type=float, default=60.0, help="time of training (default: %(default)s)")
    end.add_argument("--steps", type=int, default=0, help="batches, in place of a time: then a run repeats exactly")
    parser.add_argument("--device", default="auto", help="torch device (default: CUDA where there is one)")
    parser.add_argument("--seed", type=int, default=0, help="of weights and data (default: %(default)s)")


def _add_footage(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--data",
        type=Path,
        nargs="+",
        default=[],
        metavar="PATH",
        help="data sets with masks, as for fastsam2 evaluate; or bags, videos and folders of images without any, where the "
        "unpruned tracker is the teacher (default: the generated world)",
    )
    parser.add_argument("--text", default="", help="what the teacher tracks where there are no masks: 'red mug; spoon'")
    parser.add_argument(
        "--box", type=box, action="append", default=[], metavar="X,Y,W,H", help="the same, in each first frame (pixels)"
    )
    parser.add_argument("--topic", default="", help="the bags' image topic, where they have several")
    parser.add_argument("--model", help=f"SAM 2 model: {', '.join(MODELS)}, or the path of a sam2 YAML file")
    parser.add_argument("--checkpoint", help="its weights, where they are not the released ones; or 'untrained'")
    parser.add_argument(
        "--set", action="append", default=[], metavar="NAME=VALUE", help=f"any of: {', '.join(flat_options())}"
    )
    parser.set_defaults(keep_ratio=None)  # the teacher has all tokens


def _router_task(arguments: argparse.Namespace) -> RouterTask:
    from fastsam2_ros.lab.training.recordings import Source, Stored, Worlds, open_recordings
    from fastsam2_ros.lab.training.router import RouterTask
    from fastsam2_ros.streaming.loading import load_sam2

    if not arguments.data and (arguments.text or arguments.box):
        raise InputError("--text and --box say what to track in --data PATH; the generated world has its own targets.")
    config = _teacher_config(arguments)
    source: Source = Worlds(arguments.seed)
    if arguments.data:
        found = [open_recordings(path, arguments.text, arguments.box, arguments.topic) for path in arguments.data]
        source = Stored([recording for recordings in found for recording in recordings], arguments.seed)
    return RouterTask(load_sam2(config.model), config, source, arguments.seed)


def _teacher_config(arguments: argparse.Namespace) -> TrackerConfig:
    """A language model is loaded only where one is asked for, or a text is to be found."""
    config = settings(arguments)
    if not arguments.text and not any(setting.startswith("language.") for setting in arguments.set):
        config = replace(config, language=replace(config.language, name="none"))
    return config


def _comparison(figures: Mapping[str, float]) -> Table:
    """The last validation's hit rates: a row for each scorer, a column for each use and keep ratio."""
    table = Table(title="share of the tokens to keep that are kept, held-out")
    columns = list(dict.fromkeys(name.split(" ", 2)[2] for name in figures))
    table.add_column("")
    for column in columns:
        table.add_column(column, justify="right")
    for scorer in dict.fromkeys(name.split(" ")[1] for name in figures):
        table.add_row(scorer, *(f"{figures[f'val {scorer} {column}']:.3f}" for column in columns))
    return table
