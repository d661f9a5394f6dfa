"""`fastsam2 doctor`: one table of what is there and what is not, and for each gap what closes it."""

from __future__ import annotations

import argparse
import os

from rich.console import Console

from fastsam2_ros.doctor import library, ros
from fastsam2_ros.doctor.findings import Verdict, table
from fastsam2_ros.errors import FastSam2Error

EXAMPLE = "fastsam2 doctor --seconds 5"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The command's arguments."""
    parser.add_argument(
        "--seconds",
        type=float,
        default=3.0,
        help="how long to listen for image topics; 0: not at all (default: %(default)s)",
    )


def run(arguments: argparse.Namespace) -> None:
    """Print the table.

    Raises:
        FastSam2Error: something is missing that nothing goes without.
    """
    os.environ.setdefault("HF_HUB_OFFLINE", "1")  # Looking for weights must not fetch them.
    groups = [
        ("library", [library.python(), *library.packages(), library.gpu()]),
        ("weights", list(library.weights())),
        ("ROS", [*ros.environment(), *ros.packages(), ros.shared_memory()]),
    ]
    if arguments.seconds > 0:
        groups.append(("topics", list(ros.image_topics(arguments.seconds))))
    Console().print(table(groups))
    missing = [each.what for _, findings in groups for each in findings if each.verdict == Verdict.MISSING]
    if missing:
        raise FastSam2Error(f"Missing: {', '.join(missing)}. The table's last column tells what to do.")
