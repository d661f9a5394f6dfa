"""Many recordings: each a job of its own, with its results in a folder of its own."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fastsam2_ros import __version__
from fastsam2_ros.bags.frames import open_frames
from fastsam2_ros.bags.result_files import ResultFiles
from fastsam2_ros.bags.track_one import Wanted, run_track
from fastsam2_ros.batch import marker
from fastsam2_ros.batch.perform import perform_all
from fastsam2_ros.batch.progress import followed
from fastsam2_ros.batch.sources import Source
from fastsam2_ros.batch.weight_files import stamp, weight_files
from fastsam2_ros.batch.workers import Done, Workers
from fastsam2_ros.config import TrackerConfig, flat_values
from fastsam2_ros.errors import FastSam2Error

if TYPE_CHECKING:
    from fastsam2_ros.tracker import TextTracker


@dataclass(frozen=True)
class TrackJob:
    """One recording.

    Attributes:
        source: bag, video or folder of images.
        wanted: what is to be done with it.
        folder: for its results.
        made: of what they are made, for the folder's marker.
    """

    source: Path
    wanted: Wanted
    folder: Path
    made: Mapping[str, Any]


def track_all(sources: Sequence[Source], wanted: Wanted, out: Path, workers: Workers) -> list[str]:
    """Track in all recordings that are not finished, with a progress bar on stderr.

    Args:
        sources: the recordings.
        wanted: what is to be done with each.
        out: folder with a folder for each.
        workers: who does it.

    Returns:
        names of those that failed.

    Raises:
        ModelError: there is no model.
    """
    jobs = plan(sources, wanted, out)
    outcomes = followed(_outcomes(jobs, workers), len(jobs), lambda job: job.folder.name)
    return [done.job.folder.name for done in outcomes if done.error is not None]


def _outcomes(jobs: Sequence[TrackJob], workers: Workers) -> Iterator[Done[TrackJob, int]]:
    """Those that are finished, or whose folder has results of something else, need no worker."""
    todo = []
    for job in jobs:
        try:
            frames = marker.finished(job.folder, job.made)
        except (FastSam2Error, OSError) as error:
            yield Done(job, error=error)
        else:
            if frames is None:
                todo.append(job)
            else:
                yield Done(job, frames)
    yield from perform_all(track, todo, workers)


def plan(sources: Sequence[Source], wanted: Wanted, out: Path) -> list[TrackJob]:
    """A job for each recording. Raises `ModelError` where there are no weights."""
    task = {
        "settings": flat_values(wanted.config),
        "description": wanted.description,
        "boxes": wanted.boxes,
        "topic": wanted.topic,
        "max_frames": wanted.max_frames,
        "storage": wanted.storage,
        "tokens": wanted.tokens,
        "version": __version__,
        "files": [stamp(file) for file in (*weight_files(wanted.config), *filter(None, (wanted.example,)))],
    }
    return [
        TrackJob(source.path, wanted, out / source.name, {marker.SOURCE: _state(source.path), **task})
        for source in sources
    ]


def track(job: TrackJob) -> int:
    """Do one job; one that was broken off is begun anew, and one that is finished left as it is.

    Returns:
        number of frames.

    Raises:
        FastSam2Error: the recording is damaged, or the results cannot be written; those of the frames before are there, and
            the job is not finished.
    """
    before = marker.finished(job.folder, job.made)
    if before is not None:
        return before
    wanted = job.wanted
    frames = open_frames(job.source, wanted.topic, wanted.config.max_megapixels)
    tracker = wanted.aim(models(wanted.config).sibling())
    marker.begin(job.folder, job.made)
    with ResultFiles(job.folder, wanted.storage, wanted.tokens) as outputs:
        count = run_track(frames, tracker, outputs, wanted.max_frames)
    marker.finish(job.folder, job.made, count)
    return count


@lru_cache(maxsize=1)
def models(config: TrackerConfig) -> TextTracker:
    """A tracker with the models, which its siblings share; it sees no frame itself."""
    from fastsam2_ros.tracker import TextTracker

    return TextTracker.from_config(config)


def _state(path: Path) -> list[Any]:
    """Which recording this is, and in what state; of one that cannot be read, its own job says so."""
    try:
        files = sorted(file for file in path.iterdir() if file.is_file()) if path.is_dir() else [path]
        return [os.path.abspath(path), *(stamp(file)[1:] for file in files if file.exists())]
    except OSError:
        return [os.path.abspath(path)]
