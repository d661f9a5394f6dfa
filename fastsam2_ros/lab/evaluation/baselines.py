"""What any tracker has to beat, given the first mask too; and results that others have made."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

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
