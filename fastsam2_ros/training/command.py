"""`fastsam2 train`: the mini models, from nothing or from weights that are there, on the generated world."""

from __future__ import annotations

import argparse
import signal
from pathlib import Path

from fastsam2_ros.errors import InputError
from fastsam2_ros.streaming.loading import find_device

EXAMPLE = "fastsam2 train sam2 --minutes 60 --out runs/sam2"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The words after `fastsam2 train`."""
    parser.add_argument("model", choices=("sam2", "clip"), help="what to train")
    parser.add_argument(
        "--out",
        type=Path,
        required=True,
        help="folder for weights, log and curves; one that has a checkpoint is resumed",
    )
    parser.add_argument("--weights", type=Path, help="start from this file's weights (default: from nothing)")
    end = parser.add_mutually_exclusive_group()
    end.add_argument("--minutes", type=float, default=60.0, help="time of training (default: %(default)s)")
    end.add_argument("--steps", type=int, default=0, help="batches, in place of a time: then a run repeats exactly")
    parser.add_argument("--device", default="auto", help="torch device (default: CUDA where there is one)")
    parser.add_argument("--workers", type=int, default=1, help="processes that make batches (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=0, help="of weights and data (default: %(default)s)")


def run(arguments: argparse.Namespace) -> None:
    """Train.

    Raises:
        InputError: no end is given, or the folder holds another training.
        ModelError: the device is not there, or the weights cannot be read or are another model's.
    """
    from fastsam2_ros.training.loop import Settings, Task, Trainer, start_from

    if arguments.workers < 0 or arguments.seed < 0:
        raise InputError("--workers and --seed must be 0 or more.")
    device = find_device(arguments.device)
    task: Task
    if arguments.model == "sam2":
        from fastsam2_ros.training.sam2 import Sam2Task

        task, rate = Sam2Task(device, arguments.seed), 1e-3
    else:
        from fastsam2_ros.training.clip import ClipTask

        task, rate = ClipTask(device, arguments.seed), 2e-3
    if arguments.weights is not None:
        start_from(task, arguments.weights)
    settings = Settings(
        out=arguments.out,
        device=device,
        workers=arguments.workers,
        minutes=0.0 if arguments.steps else arguments.minutes,
        steps=arguments.steps,
        learning_rate=rate,
    )
    # Whoever stops it, and however it was started, gets a checkpoint.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.default_int_handler)
    Trainer(task, settings).run()
    print(f"{arguments.out}: {task.name}.safetensors, log.jsonl, curves.png")
