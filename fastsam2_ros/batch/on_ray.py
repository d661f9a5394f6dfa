"""Jobs on Ray: one actor for each GPU, or for some cores; where an actor dies, another does its job again."""

from __future__ import annotations

import logging
import os
import signal
import sys
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from fastsam2_ros.batch.workers import LOCAL, Done, Job, Result, Workers, attempt, limit_threads
from fastsam2_ros.errors import FastSam2Error

if TYPE_CHECKING:
    import ray
else:
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # read when ray is imported
    try:
        import ray
    except ModuleNotFoundError as missing:
        raise FastSam2Error("--ray needs Ray: pip install 'fastsam2_ros[ray]'.") from missing

CORES = 2
"""Of each worker, where nothing else is said."""
_ATTEMPTS = 3
"""At a job whose worker is killed each time."""
_OBJECT_STORE = 100_000_000
"""Bytes of shared memory of an own Ray: jobs and their results are small."""


class _Worker:
    """An actor. Whatever `perform` keeps in its modules, such as models, stays from job to job.

    Args:
        cores: for its threads.
        folder: where relative paths begin.
        modules: where Python looks for modules, as spawned processes are told too.
    """

    def __init__(self, cores: int, folder: Path, modules: Sequence[str]) -> None:
        limit_threads(cores)
        sys.path.extend(each for each in modules if each not in sys.path)
        if folder.is_dir():
            os.chdir(folder)

    def ready(self) -> None:
        """Comes back when the actor has been started."""

    def perform(self, perform: Callable[[Job], Result], job: Job) -> Done[Job, Result]:
        """`workers.attempt`."""
        return attempt(perform, job)


def perform_all(perform: Callable[[Job], Result], jobs: Sequence[Job], workers: Workers) -> Iterator[Done[Job, Result]]:
    """`perform.perform_all` on Ray.

    A worker gets a job when it is ready for it, so that one for which the cluster has no room yet holds up none. A job
    whose worker was killed for the third time has failed.

    Raises:
        FastSam2Error: there is no such cluster, or its workers cannot be started.
    """
    with session(workers.ray):
        count, kind, settings = _kind(workers)
        waiting, left = deque((job, 1) for job in jobs), len(jobs)
        running: dict[Any, tuple[Any, tuple[Job, int] | None]] = {}
        idle: list[Any] = []
        failed_starts = 0  # one after the other

        def add_worker() -> None:
            actor = kind.remote(*settings)
            running[actor.ready.remote()] = (actor, None)

        try:
            for _ in range(min(count, left)):
                add_worker()
            while left:
                (reference,), _ = ray.wait(list(running), num_returns=1)
                actor, task = running.pop(reference)
                done, error = _outcome(reference)
                # Dead, or out of reach: another one takes its place, and its job.
                lost = isinstance(error, ray.exceptions.RayActorError)
                if lost:
                    ray.kill(actor)
                if task is None:
                    failed_starts = failed_starts + 1 if error else 0
                    if error and (failed_starts == _ATTEMPTS or not lost):
                        raise FastSam2Error(
                            f"Ray's workers cannot be started ({_last_line(error)}); fastsam2_ros must be installed on "
                            "every machine."
                        ) from error
                elif lost and task[1] < _ATTEMPTS:
                    waiting.append((task[0], task[1] + 1))
                    task = None
                if lost:
                    add_worker()
                elif waiting:
                    following = waiting.popleft()
                    running[actor.perform.remote(perform, following[0])] = (actor, following)
                else:
                    idle.append(actor)
                if task is not None:
                    left -= 1
                    yield done if error is None else Done(task[0], error=_failure(error))
        finally:
            for actor in (*idle, *(actor for actor, _ in running.values())):
                ray.kill(actor)


def _outcome(reference: Any) -> tuple[Any, Exception | None]:
    try:
        return ray.get(reference), None
    except ray.exceptions.RayError as error:
        return None, error


def _failure(error: Exception) -> FastSam2Error:
    if isinstance(error, ray.exceptions.RayActorError):
        return FastSam2Error(f"its worker was killed {_ATTEMPTS} times, perhaps since memory ran out")
    return FastSam2Error(_last_line(error))


@contextmanager
def session(address: str) -> Iterator[None]:
    """A connection to a cluster; or, with `LOCAL`, a Ray of one's own that is ended afterwards and leaves no files.

    Where this process is connected already, that is taken.

    Raises:
        FastSam2Error: there is no such cluster, or Ray cannot be started here.
    """
    if ray.is_initialized():
        yield
        return
    settings: dict[str, Any] = {"address": address, "log_to_driver": False, "logging_level": logging.ERROR}
    with TemporaryDirectory(prefix="ray_", ignore_cleanup_errors=True) as folder:
        if address == LOCAL:
            settings |= {"include_dashboard": False, "object_store_memory": _OBJECT_STORE, "_temp_dir": folder}
        on_sigterm = signal.getsignal(signal.SIGTERM)
        try:
            ray.init(**settings)
        except Exception as error:  # Ray's own are of many kinds, plain ones among them
            ray.shutdown()
            what = "Ray cannot be started here" if address == LOCAL else f"There is no Ray cluster at {address}"
            raise FastSam2Error(f"{what} ({_last_line(error)}).") from error
        if callable(on_sigterm):  # Ray puts its own in place of the command's
            signal.signal(signal.SIGTERM, on_sigterm)
        try:
            yield
        finally:
            ray.shutdown()


def _kind(workers: Workers) -> tuple[int, Any, tuple[Any, ...]]:
    """How many workers, of which kind, with which arguments."""
    resources = ray.cluster_resources()
    count, cores, share = room(workers, int(resources.get("CPU", 1)), int(resources.get("GPU", 0)))
    kind = ray.remote(_Worker).options(num_cpus=cores, num_gpus=share)
    return count, kind, (cores, Path.cwd(), sys.path)


def room(workers: Workers, cpus: int, gpus: int) -> tuple[int, int, float]:
    """How many workers a cluster gets, and how many cores and what share of a GPU each.

    Args:
        workers: what is wanted.
        cpus, gpus: what the cluster has.
    """
    gpus = gpus if workers.gpu else 0
    if gpus:
        count = workers.count or gpus
        return count, workers.cores or max(1, cpus // count), min(1.0, gpus / count)
    if workers.count:
        return workers.count, workers.cores or max(1, cpus // workers.count), 0.0
    cores = min(workers.cores or CORES, max(1, cpus))
    return max(1, cpus // cores), cores, 0.0


def _last_line(error: BaseException) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[-1].strip()
