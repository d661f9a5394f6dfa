"""Jobs in this process or in several."""

from __future__ import annotations

import multiprocessing
import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from typing import TypeVar

import cv2

Job = TypeVar("Job")
Result = TypeVar("Result")


def perform_all(
    perform: Callable[[Job], Result], jobs: Sequence[Job], processes: int = 1
) -> Iterator[tuple[Job, Result]]:
    """Do jobs, in any order.

    Args:
        perform: does one; a function of a module, so that other processes find it.
        jobs: what to do; they can be pickled.
        processes: how many work at once. 1: this process alone.

    Yields:
        each job with its result as soon as it is there.

    Raises:
        Exception: of the first job that fails; those that wait are not begun.
    """
    if processes == 1 or len(jobs) < 2:
        for job in jobs:
            yield job, perform(job)
        return
    processes = min(processes, len(jobs))
    threads = max(1, (os.cpu_count() or 1) // processes)
    # Not forked: CUDA does not survive it.
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(processes, context, initializer=_limit_threads, initargs=(threads,)) as pool:
        futures = {pool.submit(perform, job): job for job in jobs}
        try:
            for future in as_completed(futures):
                yield futures[future], future.result()
        finally:
            pool.shutdown(cancel_futures=True)


def _limit_threads(threads: int) -> None:
    """Keep the processes of a pool from fighting for the same cores."""
    os.environ["OMP_NUM_THREADS"] = str(threads)  # read by torch, which is not imported before the first job
    cv2.setNumThreads(threads)
