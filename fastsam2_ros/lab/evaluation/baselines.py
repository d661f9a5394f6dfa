"""What any tracker has to beat, given the first mask too; and results that others have made."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from fastsam2_ros.errors import InputError
from fastsam2_ros.lab.evaluation.labels import Labels, read_labels
from fastsam2_ros.lab.evaluation.sequences import VideoSequence


@dataclass(frozen=True)
class FirstMask:
    """Every object stays where it was first."""

    name: str = "first mask"

    def predict(self, sequence: VideoSequence) -> Iterator[Labels]:
        """Labels of each frame, int32 (H, W)."""
        labels: Labels | None = None
        for index in range(len(sequence)):
            if labels is None:
                labels = np.zeros(sequence.footage.frame(index).shape[:2], np.int32)
            for number, mask in starting(sequence, index).items():
                labels = labels.copy()
                labels[mask] = number
            yield labels


@dataclass(frozen=True)
class BoxTracker:
    """A classical tracker of OpenCV, started with the box of the first mask; its box, filled, is the result.

    CSRT where this OpenCV has it (the contrib builds), else KCF, else MIL (in every build). What it cannot be started with,
    such as a box as wide as the frame, is seen in that frame alone.
    """

    @property
    def name(self) -> str:
        """With the tracker's own name."""
        return f"{_classical()[0]} box"

    def predict(self, sequence: VideoSequence) -> Iterator[Labels]:
        """Labels of each frame, int32 (H, W)."""
        cv2.setRNGSeed(0)  # MIL draws its samples
        trackers: dict[int, Any] = {}
        for index in range(len(sequence)):
            bgr = np.ascontiguousarray(sequence.footage.frame(index)[..., ::-1])
            labels = np.zeros(bgr.shape[:2], np.int32)
            for number, tracker in trackers.items():
                seen, box = tracker.update(bgr)
                if seen:
                    _fill(labels, box, number)
            for number, mask in starting(sequence, index).items():
                box = cv2.boundingRect(mask.astype(np.uint8))
                tracker = _classical()[1]()
                with suppress(cv2.error):  # a box with nothing beside it, which would have to be told from it
                    tracker.init(bgr, box)
                    trackers[number] = tracker
                _fill(labels, box, number)
            yield labels


@dataclass(frozen=True)
class StoredMasks:
    """Results in files: `FOLDER/SEQUENCE/FRAME.png`, with ids as in the data set's own masks.

    Where a sequence has one object alone, every id above 0 is that object.
    """

    folder: Path

    @property
    def name(self) -> str:
        """The folder's."""
        return self.folder.resolve().name

    def predict(self, sequence: VideoSequence) -> Iterator[Labels]:
        """Labels of each frame, int32 (H, W).

        Raises:
            InputError: a frame that is annotated has no file, or a file holds an object that is not in the sequence.
        """
        annotated = set(sequence.annotated)
        for index, frame in enumerate(sequence.frame_names):
            file = self.folder / sequence.name / f"{frame}.png"
            if not file.is_file() and index not in annotated:
                yield np.zeros(sequence.footage.frame(index).shape[:2], np.int32)
                continue
            labels = read_labels(file).labels
            if len(sequence.first) == 1:
                labels = np.where(labels > 0, next(iter(sequence.first)), 0).astype(np.int32)
            unknown = set(np.unique(labels).tolist()) - {0, *sequence.first}
            if unknown:
                raise InputError(
                    f"{file} holds the objects {sorted(unknown)}, but the sequence has {sorted(sequence.first)} alone."
                )
            yield labels


def starting(sequence: VideoSequence, index: int) -> dict[int, Any]:
    """The masks, bool (H, W) by object, of the objects whose first frame this is: what first-mask methods are given."""
    if index not in sequence.first.values():
        return {}
    masks = sequence.footage.truth(index).masks
    return {number: masks[number] for number, first in sequence.first.items() if first == index}


def _fill(labels: Labels, box: Sequence[float], number: int) -> None:
    x, y, width, height = (round(value) for value in box)
    labels[max(0, y) : max(0, y + height), max(0, x) : max(0, x + width)] = number


def _classical() -> tuple[str, Callable[[], Any]]:
    """The best classical tracker that this OpenCV has: its name, and what makes one."""
    for name in ("CSRT", "KCF", "MIL"):
        for place in (cv2, getattr(cv2, "legacy", None)):
            create = getattr(place, f"Tracker{name}_create", None)
            if create is not None:
                return name, create
    raise InputError(
        f"OpenCV {cv2.__version__} has no classical tracker (CSRT, KCF, MIL); install another build of it."
    )
