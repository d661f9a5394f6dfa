"""Many jobs as they get done: a bar over all of them, and what went wrong."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator, Sequence

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from fastsam2_ros.batch.workers import Done, Job, Result
from fastsam2_ros.errors import FastSam2Error

_log = logging.getLogger(__name__)


def bar() -> Progress:
    """A progress bar on stderr."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    return Progress(*columns, console=Console(stderr=True))


def followed(
    outcomes: Iterable[Done[Job, Result]], total: int, name: Callable[[Job], str]
) -> Iterator[Done[Job, Result]]:
    """The outcomes, with a bar over all; warnings and errors are logged with the job's name.

    Args:
        outcomes: of `workers.perform_all`.
        total: number of jobs.
        name: of a job.
    """
    with bar() as progress:
        task = progress.add_task("", total=total)
        for done in outcomes:
            for warning in done.warnings:
                _log.warning("%s: %s", name(done.job), warning)
            if done.error is not None:
                _log.error("%s: %s", name(done.job), " ".join(str(done.error).split()))
            progress.update(task, advance=1, description=name(done.job))
            yield done


def tell_failed(failed: Sequence[str], total: int) -> None:
    """Raise `FastSam2Error` with the names of what failed, if anything did."""
    if failed:
        raise FastSam2Error(f"{len(failed)} of {total} failed, the others are done: {', '.join(failed)}.")
