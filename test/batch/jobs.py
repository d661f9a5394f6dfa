"""Jobs that other processes can find."""

from __future__ import annotations

import logging
import os
import signal
import threading
from collections.abc import Callable

from fastsam2_ros.bags.result_files import ResultFiles
from fastsam2_ros.bags.track_many import TrackJob, track
from fastsam2_ros.errors import InputError, ModelError


def kill_oneself() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def square(number: int) -> int:
    return number * number


def refuse_negative(number: int) -> int:
    if number < 0:
        raise InputError(f"{number} is negative.")
    return number


def divide_by(number: int) -> float:
    return 1 / number


def without_model(number: int) -> int:
    raise ModelError("There are no weights.")


def warn(number: int) -> int:
    logging.getLogger("fastsam2_ros.somewhere").warning("frame %d\nis dark", number)
    return number


def killed_if_negative(number: int) -> int:
    if number < 0:
        kill_oneself()
    return number


def killed_once_in_the_middle(job: TrackJob) -> int:
    """Track; where the folder has no file `killed` beside it yet, this process dies by SIGKILL at the third frame."""
    once = job.folder.with_name("killed")
    write: Callable[..., None] = ResultFiles.write

    def write_and_die(outputs: ResultFiles, number: int, *rest: object) -> None:
        write(outputs, number, *rest)
        if number == 2 and not once.exists():
            once.touch()
            kill_oneself()

    ResultFiles.write = write_and_die  # type: ignore[method-assign]
    try:
        return track(job)
    finally:
        ResultFiles.write = write  # type: ignore[method-assign]


def warn_often(number: int) -> None:
    for left in range(number, 0, -1):
        logging.getLogger("fastsam2_ros").warning("%d", left)


def threads(_: int) -> str:
    return os.environ["OMP_NUM_THREADS"]


def never_end(_: object) -> None:
    os.write(1, b"begun\n")  # at once: print gives text and line end apart, and others write between
    threading.Event().wait()
