"""Many jobs of one kind, in this process, in several, or on Ray: the same results whichever it is."""

from __future__ import annotations

import multiprocessing
import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool

from fastsam2_ros.batch.workers import ALONE, Done, Job, Result, Workers, attempt, limit_threads
from fastsam2_ros.errors import FastSam2Error, ModelError


def perform_all(
    perform: Callable[[Job], Result], jobs: Sequence[Job], workers: Workers = ALONE
) -> Iterator[Done[Job, Result]]:
    """Do jobs, in any order; one that fails keeps none of the others from being done.

    Args:
        perform: does one; a function of a module, so that other processes find it. On Ray it may be called again for a job
            that was broken off, and has to begin that anew.
        jobs: what to do; they can be pickled.
        workers: who does it.

    Yields:
        each job as soon as it is over.

    Raises:
        ModelError: of the first job without a model: no other would have one. All others are broken off.
        FastSam2Error: a process was killed (on Ray it is started again instead), or Ray cannot be had.
    """
    for done in _outcomes(perform, jobs, workers):
        if isinstance(done.error, ModelError):
            raise done.error
        yield done


def _outcomes(perform: Callable[[Job], Result], jobs: Sequence[Job], workers: Workers) -> Iterator[Done[Job, Result]]:
    if not jobs:
        return
    if workers.ray:
        from fastsam2_ros.batch import on_ray

        yield from on_ray.perform_all(perform, jobs, workers)
    elif workers.count < 2 or len(jobs) < 2:
        if workers.cores or workers.count > 1:
            limit_threads(_cores(workers))
        for job in jobs:
            yield attempt(perform, job)
    else:
        yield from _in_processes(perform, jobs, workers)


def _in_processes(
    perform: Callable[[Job], Result], jobs: Sequence[Job], workers: Workers
) -> Iterator[Done[Job, Result]]:
    count = min(workers.count, len(jobs))
    # Not forked: CUDA does not survive it.
    context = multiprocessing.get_context("spawn")
    others = multiprocessing.active_children()
    with ProcessPoolExecutor(count, context, initializer=limit_threads, initargs=(_cores(workers),)) as pool:
        try:
            futures = [pool.submit(attempt, perform, job) for job in jobs]
            for future in as_completed(futures):
                yield future.result()
        except BrokenProcessPool as error:
            raise FastSam2Error(
                "A process was killed, perhaps since memory ran out: take fewer --jobs. What is finished is kept; the same "
                "command does the rest."
            ) from error
        except BaseException:
            # Nobody waits for what is left: neither after Ctrl-C nor where the caller has gone.
            for process in multiprocessing.active_children():
                if process not in others:
                    process.terminate()
            pool.shutdown(cancel_futures=True)
            raise


def _cores(workers: Workers) -> int:
    """Of each; not by how many jobs are left, on which no result may depend."""
    return workers.cores or max(1, (os.cpu_count() or 1) // max(1, workers.count))
