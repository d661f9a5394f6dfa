"""Photographs with named objects as sequences of one frame: what finding by a name is judged by."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from fastsam2_ros.errors import InputError
from fastsam2_ros.images import ImageDecoder, RgbImage
from fastsam2_ros.lab.evaluation.labels import read_labels
from fastsam2_ros.lab.evaluation.sequences import Truth, VideoSequence

ABSENT = 5
"""Names that are not in a photograph and are asked for, each."""
SMALLEST = 0.01
"""Share of the photograph that the object covers."""


@dataclass(frozen=True)
class Photograph:
    """One picture.

    Attributes:
        image, masks: files.
        number: of the object that is judged.
    """

    image: Path
    masks: Path
    number: int

    def frame(self, index: int) -> RgbImage:
        """uint8 (H, W, 3), RGB."""
        return ImageDecoder().decode_compressed(self.image.suffix, self.image.read_bytes())

    def truth(self, index: int) -> Truth:
        """The object's mask."""
        image = read_labels(self.masks)
        return Truth({self.number: image.labels == self.number}, image.void)


@dataclass(frozen=True)
class PhotographDataset:
    """`images/*.jpg`, `masks/*.png`, and `objects.json`: `{NAME: {"objects": {"1": "bowl"}}}`.

    Of each photograph, the largest object that is the only one of its name there; photographs without one are left out.

    Attributes:
        root: the folder.
        names: of the photographs.
        objects: number and name of the object by photograph, and names that are not in it.
    """

    root: Path
    names: Sequence[str]
    objects: dict[str, tuple[int, str, tuple[str, ...]]]

    @staticmethod
    def open_folder(root: Path) -> PhotographDataset:
        """Read the list.

        Raises:
            InputError: it cannot be read.
        """
        try:
            listed = json.loads((root / "objects.json").read_text("utf-8"))
            objects = {name: entry["objects"] for name, entry in listed.items()}
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            raise InputError(
                f"{root / 'objects.json'} is not of the form NAME: objects: number: name ({error})."
            ) from error
        every = sorted({name for each in objects.values() for name in each.values()})
        chosen = {}
        for index, (photograph, each) in enumerate(sorted(objects.items())):
            number = _largest(read_labels(root / "masks" / f"{photograph}.png").labels, each)
            if number:
                missing = [name for name in every if name not in each.values()]
                order = np.random.default_rng(index).permutation(len(missing))[:ABSENT]
                chosen[photograph] = number, each[str(number)], tuple(missing[place] for place in order)
        return PhotographDataset(root, list(chosen), chosen)

    @property
    def title(self) -> str:
        """The folder's name."""
        return self.root.resolve().name

    @property
    def identity(self) -> str:
        """The folder's path."""
        return str(self.root.resolve())

    def open(self, name: str, max_frames: int | None = None) -> VideoSequence:
        """See `Dataset.open`."""
        number, said, absent = self.objects[name]
        footage = Photograph(self.root / "images" / f"{name}.jpg", self.root / "masks" / f"{name}.png", number)
        return VideoSequence(name, footage, [name], [0], [0], {number: 0}, {number: said}, absent)


def _largest(labels: np.ndarray, names: dict[str, str]) -> int:
    """The number of the largest object whose name no other has; 0 where there is none."""
    count = Counter(names.values())
    areas = np.bincount(labels.ravel(), minlength=256)
    alone = [int(number) for number, name in names.items() if count[name] == 1]
    best = max(alone, key=lambda number: int(areas[number]), default=0)
    return best if best and areas[best] >= SMALLEST * labels.size else 0
