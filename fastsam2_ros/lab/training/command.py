"""`fastsam2 train`: the mini models, on the generated world and on real pictures."""

from __future__ import annotations

import argparse
import signal
from pathlib import Path

from fastsam2_ros.errors import InputError
from fastsam2_ros.streaming.loading import find_device

GOING_ON = 0.5
"""Share of CLIP's course that is left out by a training from weights."""
RATES = {"clip": 1e-3, "sam2": 8e-4}
"""Learning rates; where SAM 2 goes on from weights, `FURTHER_RATE`."""
FURTHER_RATE = 5e-4

EXAMPLE = "fastsam2 train sam2 --minutes 60 --out runs/sam2"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The words after `fastsam2 train`."""
    subjects = parser.add_subparsers(dest="subject", required=True, metavar="{sam2,clip}", help="what to train")
    for name, summary in (("sam2", "the mini SAM 2"), ("clip", "the mini language model")):
        own = subjects.add_parser(name, help=summary, description=f"Train {summary} on the generated world.")
        _add_course(own)
        own.add_argument(
            "--weights",
            type=Path,
            help="go on from this file's weights: sam2 with its trunk let go, clip half-way through its course (default: from "
            "nothing)",
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


def run(arguments: argparse.Namespace) -> None:
    """Train.

    Raises:
        InputError: no end is given, or the folder holds another training.
        ModelError: the device is not there, or weights to start from cannot be read.
    """
    from fastsam2_ros.lab.training.loop import Settings, Task, Trainer, start_from

    if arguments.workers < 0 or arguments.seed < 0:
        raise InputError("--workers and --seed must be 0 or more.")
    if arguments.weights is not None and getattr(arguments, "donor", None) is not None:
        raise InputError("--donor is for a training from nothing; leave it out, or --weights.")
    device, goes_on = find_device(arguments.device), arguments.weights is not None
    sam2 = arguments.subject == "sam2"
    course = Settings(
        out=arguments.out,
        device=device,
        workers=arguments.workers,
        minutes=0.0 if arguments.steps else arguments.minutes,
        steps=arguments.steps,
        learning_rate=FURTHER_RATE if sam2 and goes_on else RATES[arguments.subject],
        begun=GOING_ON if goes_on and not sam2 else 0.0,
    )
    task: Task
    if sam2:
        from fastsam2_ros.lab.training.sam2 import Sam2Task

        task = Sam2Task(device, arguments.seed, arguments.real, arguments.donor, goes_on=goes_on)
    else:
        from fastsam2_ros.lab.training.clip import ClipTask

        task = ClipTask(device, arguments.out, arguments.seed, arguments.real)
    if goes_on:
        start_from(task, arguments.weights)
    # Whoever stops it, and however it was started, gets a checkpoint.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.default_int_handler)
    Trainer(task, course).run()
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
