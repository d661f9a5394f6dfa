"""From sequences and methods to J and F of every frame; a run that was broken off goes on where it was."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np

from fastsam2_ros import __version__
from fastsam2_ros.batch.perform import perform_all
from fastsam2_ros.batch.weight_files import model_files, stamp, weight_files
from fastsam2_ros.batch.workers import ALONE, Done, Workers
from fastsam2_ros.lab.evaluation.baselines import FirstMask, StoredMasks
from fastsam2_ros.lab.evaluation.labels import write_labels
from fastsam2_ros.lab.evaluation.metrics import contour_accuracy, region_similarity
from fastsam2_ros.lab.evaluation.neighbours import NearestNeighbours
from fastsam2_ros.lab.evaluation.ours import DESCRIPTION, FIRST_MASK, Ours, Steps
from fastsam2_ros.lab.evaluation.sequences import Dataset, VideoSequence
from fastsam2_ros.streaming import cpu_features

Method = Ours | FirstMask | NearestNeighbours | StoredMasks
Record = dict[str, Any]
"""One method on one sequence, as `evaluate_sequence` returns it and as it is in its JSON file."""

FOUND_IOU = 0.5
"""IoU in the first frame above which a described object has been found."""
_DIGITS = 6


@dataclass(frozen=True)
class Job:
    """One method on one sequence.

    Attributes:
        dataset: where the sequence is from.
        sequence: its name.
        method: what is evaluated.
        mode: one of `ours.MODES`.
        folder: of the method's results.
        max_frames: length at which sequences are cut; None: they are not.
    """

    dataset: Dataset
    sequence: str
    method: Method
    mode: str
    folder: Path
    max_frames: int | None = None

    @property
    def file(self) -> Path:
        """The JSON file of its record."""
        return self.folder / "sequences" / f"{self.sequence}.json"


def plan(
    dataset: Dataset, names: Sequence[str], methods: Sequence[Method], mode: str, out: Path, max_frames: int | None
) -> list[Job]:
    """A job for every sequence and method. What decides on a method's results also decides on their folder in `out`.

    Raises:
        ModelError: the method's weights cannot be had.
    """
    jobs = []
    for method in methods:
        settings = {
            "dataset": dataset.identity,
            "mode": mode,
            "method": {"kind": type(method).__name__, **asdict(method)},
            "max_frames": max_frames,
            "files": _files(method),
            "bf16": cpu_features.openvino_has_bf16(),
            "version": __version__,
        }
        text = json.dumps(settings, indent=1, sort_keys=True, default=str)
        slug = "".join(c if c.isalnum() else "-" for c in method.name)
        folder = out / "runs" / f"{slug}-{sha256(text.encode()).hexdigest()[:10]}"
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "settings.json").write_text(text + "\n", "utf-8")
        jobs += [Job(dataset, name, method, mode, folder, max_frames) for name in names]
    return jobs


def run_jobs(jobs: Sequence[Job], workers: Workers = ALONE) -> Iterator[Done[Job, Record]]:
    """Do the jobs, in any order; those that are done already are read from their files.

    Args:
        jobs: what to do.
        workers: who does it.

    Yields:
        each job with its record, or the error that it failed by, as soon as it is over.

    Raises:
        ModelError: there is no model; what is done by then is kept.
    """
    todo = []
    for job in jobs:
        if job.file.is_file():
            yield Done(job, json.loads(job.file.read_text("utf-8")))
        else:
            todo.append(job)
    yield from perform_all(perform, todo, workers)


def perform(job: Job) -> Record:
    """Do one job and write its record and its masks."""
    sequence = job.dataset.open(job.sequence, job.max_frames)
    record = evaluate_sequence(sequence, job.method, job.mode, job.folder / "masks" / job.sequence)
    job.file.parent.mkdir(parents=True, exist_ok=True)
    # Whole or not at all: the file says that the job is done.
    part = job.file.with_suffix(".part")
    part.write_text(json.dumps(record, ensure_ascii=False), "utf-8")
    part.replace(job.file)
    return record


def evaluate_sequence(sequence: VideoSequence, method: Method, mode: str, masks: Path) -> Record:
    """J and F of every object and frame that counts (`counted_frames`).

    Args:
        sequence: with at least one annotated frame.
        method: what to evaluate.
        mode: one of `ours.MODES`.
        masks: folder for the method's masks, `FRAME.png` with the ids of the data set.

    Returns:
        plain values: sequence, group, method, untrained; objects by id, with description, frames (indices), J and F (of
        those frames), and found (in the first frame; None where it was not to be searched there); absent: whether it was
        "found", by description; keep_ratio, tokens (of tokens_total), motion and seconds by frame, of our own tracker.

    Raises:
        FastSam2Error: the sequence is damaged, or the method cannot deal with it.
    """
    masks.mkdir(parents=True, exist_ok=True)
    numbers = [each for each in sequence.first if mode == FIRST_MASK or each in sequence.descriptions]
    counted = {number: counted_frames(sequence, number, mode) for number in numbers}
    wanted = set().union(*counted.values()) | {sequence.first[number] for number in numbers}
    objects: dict[int, dict[str, Any]] = {
        number: {"description": sequence.descriptions.get(number, ""), "frames": [], "J": [], "F": [], "found": None}
        for number in numbers
    }
    steps = Steps()
    predictions = method.predict(sequence, steps) if isinstance(method, Ours) else method.predict(sequence)
    for index, labels in enumerate(predictions):
        write_labels(masks / f"{sequence.frame_names[index]}.png", labels)
        if index not in wanted:
            continue
        truth = sequence.footage.truth(index)
        nothing = np.zeros(labels.shape, bool)
        for number in numbers:
            true, result = truth.masks.get(number, nothing), labels == number
            if index == 0 and mode == DESCRIPTION and sequence.first[number] == 0:
                objects[number]["found"] = region_similarity(true, result, truth.void) > FOUND_IOU
            if index in counted[number]:
                objects[number]["frames"].append(index)
                objects[number]["J"].append(round(region_similarity(true, result, truth.void), _DIGITS))
                objects[number]["F"].append(round(contour_accuracy(true, result, truth.void), _DIGITS))
    absent: dict[str, bool] = {}
    if isinstance(method, Ours) and mode == DESCRIPTION:
        absent = method.found(sequence, sequence.absent)
    return {
        "sequence": sequence.name,
        "group": sequence.group,
        "method": method.name,
        "untrained": steps.untrained,
        "objects": {str(number): scores for number, scores in objects.items()},
        "absent": absent,
        "keep_ratio": [round(value, _DIGITS) for value in steps.keep_ratio],
        "tokens": steps.tokens,
        "tokens_total": steps.tokens_total,
        "motion": [round(value, _DIGITS) for value in steps.motion],
        "seconds": [round(value, _DIGITS) for value in steps.seconds],
    }


def counted_frames(sequence: VideoSequence, number: int, mode: str) -> frozenset[int]:
    """Indices of the frames in which an object is judged: annotated ones.

    With the first mask given, without the one that was given, those before it, and the sequence's last annotated one,
    as in DAVIS's semi-supervised task. By description nothing was given, and all of them count.
    """
    if mode == DESCRIPTION:
        return frozenset(sequence.annotated)
    return frozenset(index for index in sequence.annotated[:-1] if index > sequence.first[number])


def _files(method: Method) -> list[tuple[str, int, int]]:
    """Path, size and time of weights, or of stored masks: others under the same name are another run."""
    if isinstance(method, StoredMasks):
        files = sorted(method.folder.glob("*/*.png"))
        return [(str(method.folder.resolve()), len(files), max((file.stat().st_mtime_ns for file in files), default=0))]
    if isinstance(method, FirstMask):
        return []
    files = weight_files(method.config) if isinstance(method, Ours) else model_files(method.model)
    return [stamp(file) for file in files]
