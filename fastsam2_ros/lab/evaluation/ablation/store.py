"""What is measured already, in one file for each sequence; only what is missing is done."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from functools import lru_cache
from hashlib import sha256
from pathlib import Path
from typing import Any

from fastsam2_ros import __version__, shipped
from fastsam2_ros.batch.perform import perform_all
from fastsam2_ros.batch.workers import Done, Workers
from fastsam2_ros.config import UNTRAINED, PruningConfig, TrackerConfig, flat_values
from fastsam2_ros.lab.evaluation.ablation.measure import Measurement, measure
from fastsam2_ros.lab.evaluation.ablation.policies import Variant
from fastsam2_ros.lab.evaluation.sequences import Dataset
from fastsam2_ros.pruning.budget import BUDGET_OPTIONS
from fastsam2_ros.streaming import cpu_features
from fastsam2_ros.streaming.checkpoints import find_checkpoint
from fastsam2_ros.streaming.loading import find_device


@dataclass(frozen=True)
class Job:
    """The policies that are to be measured on one sequence.

    Attributes:
        dataset: where the sequence is from.
        sequence: its name.
        max_frames: length at which sequences are cut; None: they are not.
        policies: by `key`.
        dense: what times are compared with.
        file: of the sequence's results.
    """

    dataset: Dataset
    sequence: str
    max_frames: int | None
    policies: Mapping[str, Variant]
    dense: Variant
    file: Path


@dataclass
class Results:
    """All that is measured.

    Attributes:
        groups: the rows that each sequence counts for, by the sequence's name with its data set's.
        measurements: by the same, and by `key`.
    """

    groups: dict[str, tuple[str, ...]] = field(default_factory=dict)
    measurements: dict[str, dict[str, Measurement]] = field(default_factory=dict)


def key(variant: Variant) -> str:
    """Names a variant and its weights: what decides on results, in 16 hexadecimal digits.

    Settings of pruning that decide on nothing are left out.

    Raises:
        ModelError: weights or device cannot be had.
    """
    config = variant.config
    model = replace(config.model, device=str(find_device(config.model.device)))
    settings = {**asdict(replace(config, model=model)), "pruning": _decisive(config.pruning)}
    content = {
        "config": settings,
        "random": variant.random_tokens,
        "files": _digests(config),
        "bf16": cpu_features.openvino_has_bf16(),
        "version": __version__,
    }
    return sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:16]


def file_digest(file: Path) -> str:
    """SHA-256, hexadecimal."""
    digest = sha256()
    with file.open("rb") as stream:
        while chunk := stream.read(1 << 20):
            digest.update(chunk)
    return digest.hexdigest()


def plan(
    dataset: Dataset, policies: Mapping[str, Variant], dense: Variant, folder: Path, max_frames: int | None
) -> list[Job]:
    """A job for every sequence; the file's folder depends on the data set and `max_frames`."""
    identity = sha256(json.dumps([dataset.identity, max_frames, __version__]).encode()).hexdigest()[:10]
    place = folder / f"{''.join(c if c.isalnum() else '-' for c in dataset.title)}-{identity}"
    return [
        Job(dataset, name, max_frames, policies, dense, place / f"{name.replace('/', '-')}.json")
        for name in dataset.names
    ]


def run_jobs(jobs: Sequence[Job], processes: int, results: Results) -> Iterator[Done[Job, None]]:
    """Do what is missing, and add all to `results`.

    Args:
        jobs: what to do.
        processes: how many work at once; each loads the weights. 1: this process alone.
        results: is added to.

    Yields:
        each job as soon as its results are there, or with the error that it failed by.

    Raises:
        ModelError: there is no model; what is done by then is kept.
    """
    todo = []
    for job in jobs:
        if missing(job):
            todo.append(job)
        else:
            _add(job, results)
            yield Done(job)
    for done in perform_all(perform, todo, Workers(processes)):
        if done.error is None:
            _add(done.job, results)
        yield done


def missing(job: Job) -> dict[str, Variant]:
    """The job's policies that its file has no results of."""
    _, done = _read(job.file)
    return {name: config for name, config in job.policies.items() if name not in done}


def perform(job: Job) -> None:
    """Measure what is missing and write it into the job's file."""
    sequence = job.dataset.open(job.sequence, job.max_frames)
    measured = measure(sequence, missing(job), job.dense)
    _, done = _read(job.file)
    content = {
        "groups": [name for name in (job.dataset.title, sequence.group) if name],
        "measurements": {name: asdict(each) for name, each in {**done, **measured}.items()},
    }
    job.file.parent.mkdir(parents=True, exist_ok=True)
    # Whole or not at all: the file says what is done.
    part = job.file.with_suffix(".part")
    part.write_text(json.dumps(content), "utf-8")
    part.replace(job.file)


def _add(job: Job, results: Results) -> None:
    name = f"{job.dataset.title}/{job.sequence}"
    results.groups[name], done = _read(job.file)
    results.measurements.setdefault(name, {}).update({each: done[each] for each in job.policies})


def _read(file: Path) -> tuple[tuple[str, ...], dict[str, Measurement]]:
    if not file.is_file():
        return (), {}
    content = json.loads(file.read_text("utf-8"))
    measurements = {name: Measurement(**values) for name, values in content["measurements"].items()}
    return tuple(content["groups"]), measurements


def _decisive(config: PruningConfig) -> dict[str, Any]:
    """A fixed keep ratio needs no budget, and all tokens need no choice."""
    every = asdict(config)
    if config.keep_ratio == 1 and config.memory_ratio in (0, 1):
        return {"keep_ratio": 1.0}
    idle = set(BUDGET_OPTIONS) if config.keep_ratio else set()
    return {name: value for name, value in every.items() if name not in idle}


def _digests(config: TrackerConfig) -> list[str]:
    """Of every file that decides on results: what comes with this package, the checkpoint, and settings that are paths."""
    files = {each for each in vars(shipped).values() if isinstance(each, Path) and each.is_file()}
    if config.model.checkpoint != UNTRAINED:
        files.add(find_checkpoint(config.model))
    paths = (Path(value) for value in flat_values(config).values() if isinstance(value, str) and value)
    files.update(path for path in paths if path.is_file())
    return sorted(_digest_once(file, file.stat().st_mtime_ns) for file in files)


@lru_cache(maxsize=64)
def _digest_once(file: Path, _changed_ns: int) -> str:
    return file_digest(file)
