"""Real pictures with masks: photographs, and frames of real video, as they lie in `real/train` and `real/val`."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

from fastsam2_ros.errors import InputError
from fastsam2_ros.images import RgbImage
from fastsam2_ros.lab.evaluation.labels import read_labels

Ids = npt.NDArray[np.uint8]
IGNORE = 255
"""In a mask image: nobody says what this is."""
PARTS, PART_SHARE = 4, 0.03
"""A mask in more parts than this, each of at least this share of it, is a crowd under one number."""
SMALLEST_MASK = 0.002
"""Share of the picture that an object must cover."""


@dataclass(frozen=True)
class Still:
    """A photograph, read when it is asked for.

    Attributes:
        image, masks: files.
        names: what the objects are, by number, where that is known.
    """

    image: Path
    masks: Path
    names: Mapping[int, str] = field(default_factory=dict)

    def read(self) -> tuple[RgbImage, Ids]:
        """uint8 (H, W, 3), RGB, and uint8 (H, W), numbers of single objects; 0 for all else.

        Raises:
            InputError: a file is missing or damaged, or they do not fit.
        """
        return _read(self.image, self.masks)


def open_stills(folder: Path) -> list[Still]:
    """All photographs below `folder/stills/SET/{images,masks}`.

    Raises:
        InputError: there are none.
    """
    found = []
    for images in sorted(folder.glob("stills/*/images")):
        listed = images.parent / "objects.json"
        known = json.loads(listed.read_text("utf-8")) if listed.is_file() else {}
        for image in sorted(images.glob("*.jpg")):
            masks = images.parent / "masks" / f"{image.stem}.png"
            names = {int(number): name for number, name in known.get(image.stem, {}).get("objects", {}).items()}
            found.append(Still(image, masks, names))
    if not found:
        raise InputError(f"There are no photographs {folder}/stills/*/images/*.jpg.")
    return found


@dataclass(frozen=True)
class Reel:
    """The frames of a real video that have masks, in their order; read as a `Still`'s."""

    name: str
    frames: tuple[Still, ...]


def open_reels(folder: Path) -> list[Reel]:
    """All videos below `folder/video/SET/{JPEGImages,Annotations}/NAME`; none where there are none."""
    reels = []
    for masks in sorted(folder.glob("video/*/Annotations/*")):
        images = masks.parents[1] / "JPEGImages" / masks.name
        frames = [Still(image, masks / f"{image.stem}.png") for image in sorted(images.glob("*.jpg"))]
        reels.append(Reel(masks.name, tuple(frame for frame in frames if frame.masks.is_file())))
    return reels


@lru_cache(maxsize=64)
def _read(image: Path, masks: Path) -> tuple[RgbImage, Ids]:
    picture = cv2.imread(str(image), cv2.IMREAD_COLOR)
    labels = read_labels(masks).labels
    if picture is None or picture.shape[:2] != labels.shape:
        raise InputError(f"{image} cannot be read, or is not of the size of its masks {masks}.")
    ids = single_objects(np.where(labels < IGNORE, labels, 0).astype(np.uint8))
    return np.asarray(cv2.cvtColor(picture, cv2.COLOR_BGR2RGB), np.uint8), ids


def single_objects(labels: Ids) -> Ids:
    """The numbers without crowds and specks: uint8 (H, W)."""
    kept = np.zeros_like(labels)
    for number in np.unique(labels[labels > 0]).tolist():
        mask = (labels == number).astype(np.uint8)
        _, _, stats, _ = cv2.connectedComponentsWithStats(mask, connectivity=8)
        areas = stats[1:, cv2.CC_STAT_AREA]
        if areas.sum() >= SMALLEST_MASK * labels.size and (areas >= PART_SHARE * areas.sum()).sum() <= PARTS:
            kept[mask > 0] = number
    return kept
