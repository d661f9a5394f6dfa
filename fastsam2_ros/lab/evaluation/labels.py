"""Images whose pixels are ids of objects, as PNG files: what data sets and results are made of."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image, UnidentifiedImageError

from fastsam2_ros.errors import InputError
from fastsam2_ros.lab.evaluation.metrics import Mask
from fastsam2_ros.pictures.overlay import color_of

Labels = npt.NDArray[np.int32]
"""(H, W): the id of the object at each pixel, 0 for none."""

VOID = 255
"""Value of pixels that do not count, in images of 8 bits that hold ids."""


@dataclass(frozen=True)
class LabelImage:
    """One file.

    Attributes:
        labels: int32 (H, W); void pixels are 0.
        void: bool (H, W), or None where there is no such pixel.
    """

    labels: Labels
    void: Mask | None = None


def read_labels(file: Path) -> LabelImage:
    """Read a PNG of ids.

    Palette and grey images of 8 bits hold ids, and 255 is void; but grey images of nothing else than 0 and 255 (DAVIS
    2016, SA-V), and those of 1 bit, are the mask of object 1. Images of 16 and 32 bits hold ids. RGB images hold
    R + 256 G + 65536 B.

    Raises:
        InputError: missing, damaged, or of another kind.
    """
    try:
        with Image.open(file) as image:
            mode, values = image.mode, np.array(image)
    except (OSError, SyntaxError, UnidentifiedImageError) as error:
        raise InputError(f"{file} cannot be read as an image of ids: {error}") from error
    if mode == "1":
        return LabelImage(values.astype(np.int32))
    if mode in ("RGB", "RGBA"):
        return LabelImage(values[..., :3].astype(np.int32) @ np.array([1, 256, 65536], np.int32))
    if mode in ("L", "P"):
        void = values == VOID
        if mode == "L" and void.any() and not values[~void].any():
            return LabelImage(void.astype(np.int32))
        return LabelImage(np.where(void, 0, values).astype(np.int32), void if void.any() else None)
    if mode.startswith("I"):
        return LabelImage(values.astype(np.int32))
    raise InputError(f"{file} is an image of mode {mode}; ids are read from palette, grey and RGB images.")


def write_labels(file: Path, labels: Labels) -> None:
    """Write a PNG: with a palette where ids fit in 8 bits beside `VOID`, else of 16 bits."""
    if labels.max(initial=0) < VOID:
        image = Image.fromarray(labels.astype(np.uint8)).convert("P")
        image.putpalette([0, 0, 0, *(channel for number in range(1, 256) for channel in color_of(number))])
    else:
        image = Image.fromarray(labels.astype(np.uint16))
    image.save(file)
