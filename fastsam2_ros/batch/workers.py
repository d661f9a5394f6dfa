"""Who does jobs, and how one is done: what goes wrong, and what is logged, is in what comes of it."""

from __future__ import annotations

import argparse
import logging
import os
import sys
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Generic, TypeVar

import cv2

from fastsam2_ros.errors import FastSam2Error

LOCAL = "local"
"""Value of `Workers.ray`: a Ray of this machine's, for this run."""
_MOST_LINES = 20
"""That are kept of what one job logs."""

Job = TypeVar("Job")
Result = TypeVar("Result")


@dataclass(frozen=True)
class Workers:
    """Who does the jobs. Each worker loads the models once, and then does one job after the other.

    Attributes:
        count: how many at once; 0: one, or on Ray as many as it has room for.
        cores: of each; 0: this machine's are divided; on Ray `on_ray.CORES`, or where `count` is given, what there is divided.
        ray: address of a Ray cluster, or `LOCAL`; empty: without Ray.
        gpu: on Ray, each takes a GPU where the cluster has any.
    """

    count: int = 0
    cores: int = 0
    ray: str = ""
    gpu: bool = True


ALONE = Workers()
"""This process."""


@dataclass(frozen=True)
class Done(Generic[Job, Result]):
    """A job that was done, or failed.

    Attributes:
        job: what was to be done.
        result: what came of it; None where it failed.
        error: why it failed.
        warnings: what it logged from warnings up, one text each.
    """

    job: Job
    result: Result | None = None
    error: Exception | None = None
    warnings: tuple[str, ...] = ()

    def value(self) -> Result:
        """The result; raises the error of a job that failed."""
        if self.error is not None:
            raise self.error
        return self.result  # type: ignore[return-value]


def attempt(perform: Callable[[Job], Result], job: Job) -> Done[Job, Result]:
    """Do one job; what goes wrong is in what is returned, and so is what is logged."""
    with _collected() as lines:
        try:
            done = Done[Job, Result](job, perform(job))
        except (FastSam2Error, OSError) as error:
            done = Done(job, error=error)
        except Exception as error:  # one job must not end the others, whatever it met
            done = Done(job, error=unexpected(error))
    return replace(done, warnings=tuple(lines))


def unexpected(error: Exception) -> FastSam2Error:
    """An error that nobody foresaw, in one line that says where it is from."""
    place = traceback.extract_tb(error.__traceback__)[-1:]
    where = "".join(f" ({each.filename}, line {each.lineno})" for each in place)
    return FastSam2Error(f"{type(error).__name__}: {' '.join(str(error).split())}{where}")


def limit_threads(count: int) -> None:
    """Keep workers from fighting for the same cores."""
    os.environ["OMP_NUM_THREADS"] = str(count)  # read by torch, which is not imported before the first job
    cv2.setNumThreads(count)
    if (torch := sys.modules.get("torch")) is not None:
        torch.set_num_threads(count)


class _Lines(logging.Handler):
    """Texts of warnings and errors, the first ones."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        if len(self.lines) < _MOST_LINES:
            self.lines.append(" ".join(record.getMessage().split()))
        elif len(self.lines) == _MOST_LINES:
            self.lines.append("There were more warnings.")


@contextmanager
def _collected() -> Iterator[list[str]]:
    """What this package logs in the block, instead of its being shown: in another process nobody would see it."""
    log, handler = logging.getLogger("fastsam2_ros"), _Lines()
    propagates = log.propagate
    log.addHandler(handler)
    log.propagate = False
    try:
        yield handler.lines
    finally:
        log.propagate = propagates
        log.removeHandler(handler)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments for `of_arguments`."""
    parser.add_argument(
        "--jobs",
        type=count_from_one,
        metavar="N",
        help="how many at once, each with the models (default: 1; with --ray: all)",
    )
    parser.add_argument(
        "--cores",
        type=count_from_one,
        metavar="N",
        help="cores of each (default: this machine's divided; with --ray: 2)",
    )
    parser.add_argument(
        "--ray",
        nargs="?",
        const=LOCAL,
        default="",
        metavar="ADDRESS",
        help="on the Ray cluster of this address, such as auto; without an address: on a Ray of this machine",
    )


def of_arguments(arguments: argparse.Namespace, device: str) -> Workers:
    """The workers from the arguments of `add_arguments`. device: `ModelConfig.device`."""
    return Workers(arguments.jobs or 0, arguments.cores or 0, arguments.ray, device != "cpu")


def count_from_one(text: str) -> int:
    """A whole number from 1 on, of a text."""
    if not text.isdigit() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is no number from 1 on")
    return int(text)
