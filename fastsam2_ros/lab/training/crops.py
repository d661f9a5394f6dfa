"""What CLIP is trained on: crops of things, whole scenes with what covers each patch, and sentences."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial

import cv2
import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from fastsam2_ros.lab.synthetic.looks import Look
from fastsam2_ros.lab.synthetic.world import HELD_OUT_SEED, WorldSequence, generate
from fastsam2_ros.lab.training.clips import artist, stream
from fastsam2_ros.lab.training.phrases import attributes, phrases
from fastsam2_ros.language.clip import CROP_CONTEXT

GROUND = -1
"""Of a patch or crop: nothing but background."""
MIXED = -2
"""Of a patch: the edge of something, or several things; nothing is asked of it."""
SEEN = 0.5
"""Visible part of a thing from which on it is described."""
COVERED = 0.5
"""Share of a patch that one thing must cover."""
MEAN_COLOUR = (123, 117, 104)
"""CLIP's mean, which is what crops are padded with."""
DENSE_SIDES = (384, 512, 640)
"""Longer side of the dense frames; one for each batch."""
SIZES = ((288, 384), (288, 384), (480, 640))
"""Of the rendered frames, pixels."""


@dataclass(frozen=True)
class LanguageShape:
    """Scenes in a batch, frames of each, how many of the frames are also used densely, and the sizes in pixels."""

    scenes: int = 4
    frames: int = 3
    dense: int = 2
    absent: int = 12
    side: int = 128
    patch: int = 32


@dataclass(frozen=True)
class LanguageBatch:
    """One batch.

    Attributes:
        crops: uint8 (n, S, S, 3).
        crop_attributes: int64 (n, 3); `GROUND` in crops of the background.
        frames: uint8 (f, H, W, 3).
        patch_attributes: int64 (f, rows, columns, 3); `GROUND` or `MIXED` where no thing covers the patch.
        sentences: texts.
        named: int64 (m, 3), what each names (see `phrases`).
    """

    crops: Tensor
    crop_attributes: Tensor
    frames: Tensor
    patch_attributes: Tensor
    sentences: list[str]
    named: Tensor


def language_batch(seed: int, number: int, shape: LanguageShape, device: torch.device | None = None) -> LanguageBatch:
    """The batch `number` of a run with `seed`; the same for the same arguments. `device` as for `world.generate`."""
    rng = np.random.default_rng((seed, number, 1))
    side = int(rng.choice(DENSE_SIDES))
    crops, things, dense, patches, looks = [], [], [], [], []
    for scene in range(shape.scenes):
        level = int(rng.choice((1, 2, 2, 3, 3)))
        size = SIZES[rng.integers(len(SIZES))]
        chance = int(rng.integers(HELD_OUT_SEED)), int(rng.integers(5, 30))
        world = generate(chance[0], level, shape.frames, size, chance[1], device)
        known = {thing.id: Look(thing.colour, thing.pattern, thing.shape, thing.size) for thing in world.objects}
        looks += list(known.values())
        for t, frame in enumerate(world.frames):
            found, of = _crops(rng, world, t, known, shape.side)
            crops += found
            things += of
            if (scene * shape.frames + t) % max(1, shape.scenes * shape.frames // shape.dense) == 0:
                small, grid = _dense(frame, world.ids[t], side, shape.patch)
                dense.append(small)
                patches.append(_named_patches(grid, known))
    sentences, named = phrases(rng, looks, shape.absent)
    return LanguageBatch(
        torch.from_numpy(np.stack(crops)),
        torch.tensor(things, dtype=torch.int64),
        torch.from_numpy(np.stack(dense)),
        torch.from_numpy(np.stack(patches)),
        sentences,
        torch.from_numpy(named),
    )


def language_stream(
    seed: int, first: int, shape: LanguageShape, workers: int, device: torch.device
) -> Iterator[LanguageBatch]:
    """Batches from number `first` on, without end, for a training on `device`."""
    return stream(partial(language_batch, seed, shape=shape, device=artist(workers, device)), first, workers)


def square_crop(
    frame: npt.NDArray[np.uint8], box: tuple[float, float, float, float], side: int
) -> npt.NDArray[np.uint8]:
    """A box's square with some surroundings, as `Clip.embed_crops` cuts it: uint8 (side, side, 3)."""
    x, y, width, height = box
    extent = max(1.0, CROP_CONTEXT * max(width, height))
    scale = side / extent
    left, top = x + width / 2 - extent / 2, y + height / 2 - extent / 2
    matrix = np.array([[scale, 0, -left * scale + (scale - 1) / 2], [0, scale, -top * scale + (scale - 1) / 2]])
    if scale < 0.6:  # or else the thing would be sampled too sparsely
        half = cv2.resize(frame, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA)
        return square_crop(np.asarray(half, np.uint8), (x / 2, y / 2, width / 2, height / 2), side)
    crop = cv2.warpAffine(
        frame, matrix, (side, side), flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_CONSTANT, borderValue=MEAN_COLOUR
    )
    return np.asarray(crop, np.uint8)


def _crops(
    rng: np.random.Generator, world: WorldSequence, t: int, known: dict[int, Look], side: int
) -> tuple[list[npt.NDArray[np.uint8]], list[tuple[int, int, int]]]:
    """Crops of what is well seen, by boxes that are a little off, and one of the ground."""
    frame, ids = world.frames[t], world.ids[t]
    crops, things = [], []
    for number, look in known.items():
        box = world.boxes[t, number - 1]
        if world.visible[t, number - 1] < SEEN or np.isnan(box).any() or min(box[2:]) < 8:
            continue
        shift = rng.normal(0, 0.06, 4) * np.tile(box[2:], 2)
        x, y, width, height = box + shift
        crops.append(square_crop(frame, (x, y, max(width, 4), max(height, 4)), side))
        things.append(attributes(look))
    height, width = ids.shape
    for _ in range(4):
        extent = rng.uniform(0.1, 0.35) * height
        x, y = rng.uniform(0, width - extent), rng.uniform(0, height - extent)
        if not ids[int(y) : int(y + extent) + 1, int(x) : int(x + extent) + 1].any():
            crops.append(square_crop(frame, (x, y, extent, extent), side))
            things.append((GROUND,) * 3)
            break
    return crops, things


def _dense(
    frame: npt.NDArray[np.uint8], ids: npt.NDArray[np.uint8], side: int, patch: int
) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.int64]]:
    """The frame with its longer side of `side` pixels, and per patch an id, `GROUND` or `MIXED`."""
    scale = side / max(ids.shape)
    rows, columns = (max(1, round(n * scale / patch)) for n in ids.shape)
    small = cv2.resize(frame, (columns * patch, rows * patch), interpolation=cv2.INTER_AREA)
    labels = cv2.resize(ids, (columns * patch, rows * patch), interpolation=cv2.INTER_NEAREST)
    blocks = labels.reshape(rows, patch, columns, patch).swapaxes(1, 2).reshape(rows, columns, -1)
    grid = np.full((rows, columns), MIXED, np.int64)
    grid[(blocks == 0).all(-1)] = GROUND
    for number in np.unique(ids[ids > 0]):
        grid[(blocks == number).mean(-1) >= COVERED] = number
    return np.asarray(small, np.uint8), grid


def _named_patches(grid: npt.NDArray[np.int64], known: dict[int, Look]) -> npt.NDArray[np.int64]:
    """(rows, columns, 3): attributes of each patch."""
    named = np.repeat(np.where(grid == GROUND, GROUND, MIXED)[..., None], 3, axis=-1)
    for number, look in known.items():
        named[grid == number] = attributes(look)
    return named
