"""Small data sets in the field's layouts, and what is needed to write them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from PIL import Image

SIZE = (24, 32)
PALETTE = [channel for number in range(256) for channel in (number, 255 - number, number // 2)]


def square(left: int, top: int = 4, side: int = 8) -> np.ndarray:
    """bool (24, 32)."""
    mask = np.zeros(SIZE, bool)
    mask[top : top + side, left : left + side] = True
    return mask


def ids(**lefts: int) -> np.ndarray:
    """uint8 (24, 32): squares of the ids in the names, such as `ids(o1=3, o7=15)`."""
    labels = np.zeros(SIZE, np.uint8)
    for name, left in lefts.items():
        labels[square(left)] = int(name[1:])
    return labels


def write_frames(folder: Path, names: Sequence[str]) -> None:
    """JPEG files of noise, which differ from frame to frame."""
    folder.mkdir(parents=True)
    for number, name in enumerate(names):
        noise = np.random.default_rng(number).integers(0, 256, (*SIZE, 3), np.uint8)
        Image.fromarray(noise).save(folder / f"{name}.jpg")


def write_masks(folder: Path, masks: Mapping[str, np.ndarray], *, palette: bool = True) -> None:
    """PNG files with a palette; without: grey for uint8, of 16 bits for uint16, RGB for (H, W, 3)."""
    folder.mkdir(parents=True)
    for name, values in masks.items():
        image = Image.fromarray(values)
        if palette:
            image = image.convert("P")
            image.putpalette(PALETTE)
        image.save(folder / f"{name}.png")


def names(count: int, step: int = 1) -> list[str]:
    """00000, 00001 ..."""
    return [f"{number * step:05}" for number in range(count)]


def write_davis(root: Path, sequences: Mapping[str, Sequence[np.ndarray]]) -> None:
    """DAVIS 2017: all frames annotated, with a palette; a list of val."""
    for sequence, masks in sequences.items():
        write_frames(root / "JPEGImages" / "480p" / sequence, names(len(masks)))
        write_masks(root / "Annotations" / "480p" / sequence, dict(zip(names(len(masks)), masks, strict=True)))
    (root / "ImageSets" / "2017").mkdir(parents=True)
    (root / "ImageSets" / "2017" / "val.txt").write_text("\n".join(sequences) + "\n")
