"""Jobs on Ray: one actor for each GPU, or for some cores; an actor that dies is started again, and its job done again."""

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
    """`workers.perform_all` on Ray.

    A worker gets a job when it is ready for it, so that one for which the cluster has no room yet holds up none. A job
    whose worker was killed for the third time has failed.

    Raises:
        FastSam2Error: there is no such cluster, or its workers cannot be started.
    """
    with session(workers.ray):
        actors = _actors(workers, len(jobs))
        waiting, left = deque(jobs), len(jobs)
        running: dict[Any, tuple[Any, Job | None]] = {actor.ready.remote(): (actor, None) for actor in actors}
        try:
            while left:
                (reference,), _ = ray.wait(list(running), num_returns=1)
                actor, job = running.pop(reference)
                if waiting:
                    following = waiting.popleft()
                    running[actor.perform.remote(perform, following)] = (actor, following)
                if job is None:
                    _started(reference)
                else:
                    left -= 1
                    yield _outcome(reference, job)
        finally:
            for actor in actors:
                ray.kill(actor)


def _started(reference: Any) -> None:
    try:
        ray.get(reference)
    except ray.exceptions.RayError as error:
        raise FastSam2Error(
            f"Ray's workers cannot be started ({_last_line(error)}); fastsam2_ros must be installed on every machine."
        ) from error


def _outcome(reference: Any, job: Job) -> Done[Job, Any]:
    try:
        return ray.get(reference)
    except ray.exceptions.ActorDiedError:
        return Done(job, error=FastSam2Error(f"its worker was killed {_ATTEMPTS} times, perhaps since memory ran out"))
    except ray.exceptions.RayError as error:
        return Done(job, error=FastSam2Error(_last_line(error)))


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


def _actors(workers: Workers, jobs: int) -> list[Any]:
    resources = ray.cluster_resources()
    count, cores, share = room(workers, int(resources.get("CPU", 1)), int(resources.get("GPU", 0)))
    kind = ray.remote(_Worker).options(num_cpus=cores, num_gpus=share, max_restarts=-1, max_task_retries=_ATTEMPTS - 1)
    return [kind.remote(cores, Path.cwd(), sys.path) for _ in range(min(count, jobs))]


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
