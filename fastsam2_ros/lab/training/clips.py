"""Short clips of the generated world as batches; every batch is a function of the seed and its number alone."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from fastsam2_ros.lab.synthetic.world import HELD_OUT_SEED, LEVELS, generate
from fastsam2_ros.lab.training.cutouts import shoot
from fastsam2_ros.lab.training.moving_camera import LARGE, film
from fastsam2_ros.lab.training.stills import Reel, Still

ASPECTS = (1.0, 4 / 3, 16 / 9)
"""Width over height of the frames before they are stretched to a square."""
LONGEST_STRIDE = 6
"""Frames of the 30 Hz world per frame of a clip, at most: short clips still see things leave and come back."""
SMALLEST_SHARE = 0.001
"""Share of the frame that a target must show in the first frame to be prompted."""
STILLS, STILL_STRIDE = 4, 12
"""Frames of a scene that are used where single frames are wanted, and frames of the world from one to the next."""
BACKWARDS = 0.3
LEVEL_MIX = (1, 2, 3, 3, 3)
"""Levels of difficulty, as often as they are drawn: in a scene with a single thing, prompts need not be listened to."""
TRIAL_STRIDE = 3
"""Frames of the world per frame of a trial, at least: in less time the target is not hidden."""
CUT_OUT, OF_REELS = 0.35, 0.08
"""Shares of the clips of real footage in which cut-out objects move, and that are of real video."""
LONGEST_STEP = 3
"""Frames of a real video per frame of a clip, at most."""
_STREAM = 1 << 40


@dataclass(frozen=True)
class Footage:
    """What clips are made of.

    Attributes:
        stills, reels: photographs and real videos; without photographs, all clips are of the generated world.
        generated: else the share of those.
    """

    stills: Sequence[Still] = ()
    reels: Sequence[Reel] = ()
    generated: float = 1 / 3

    def still(self, rng: np.random.Generator, most: int) -> Still:
        """A photograph, as often as it shows named things, `most` at most: one with a single thing teaches little else."""
        weights = np.array([min(most, max(1, len(still.names))) for still in self.stills], float)
        return self.stills[int(rng.choice(len(self.stills), p=weights / weights.sum()))]


NO_FOOTAGE = Footage()


@dataclass(frozen=True)
class ClipBatch:
    """Clips, and targets in them; a row is one target in one clip.

    Attributes:
        frames: uint8 (clips, T, S, S, 3), RGB.
        masks: bool (rows, T, S, S); in frame 0 none is empty.
        clip_of_row: int64 (rows,), which clip a row looks at.
    """

    frames: Tensor
    masks: Tensor
    clip_of_row: Tensor

    def to(self, device: torch.device) -> ClipBatch:
        """The same on a device."""
        return ClipBatch(*(t.to(device, non_blocking=True) for t in (self.frames, self.masks, self.clip_of_row)))


@dataclass(frozen=True)
class ClipShape:
    """Of a batch: side of the encoder's image in pixels, frames of a clip, clips, and at most so many targets in each.

    With a `zoom` above 1 the frames are rendered up to so much larger, and cut to what is near a target: a small image then
    shows things at the size that they have in a large one.

    In `trials` the target of a hard scene is hidden or leaves and comes back, with look-alikes around: what tracking fails at.
    """

    side: int
    frames: int
    clips: int
    targets: int
    zoom: float = 1.0
    trials: bool = False


def clip_batch(
    seed: int,
    number: int,
    shape: ClipShape,
    levels: tuple[int, ...] = LEVEL_MIX,
    footage: Footage = NO_FOOTAGE,
) -> ClipBatch:
    """The batch `number` of a run with `seed`; the same for the same arguments.

    Clips of all levels of difficulty, aspect ratios and speeds, some of them backwards.
    """
    rng = np.random.default_rng((seed, number))
    frames: list[npt.NDArray[np.uint8]] = []
    masks: list[npt.NDArray[np.bool_]] = []
    rows: list[int] = []
    while len(frames) < shape.clips:
        for some_frames, some_masks in _some(rng, shape, levels, footage)[: shape.clips - len(frames)]:
            rows += [len(frames)] * len(some_masks)
            frames.append(some_frames)
            masks.append(some_masks)
    return ClipBatch(
        torch.from_numpy(np.stack(frames)),
        torch.from_numpy(np.concatenate(masks)),
        torch.tensor(rows, dtype=torch.int64),
    )


class Batches(Dataset[Any]):
    """Item `i` is `make(first + i)`: a run can be resumed at any batch."""

    def __init__(self, make: Any, first: int, count: int) -> None:
        self.make, self.first, self.count = make, first, count

    def __len__(self) -> int:
        return self.count

    def __getitem__(self, index: int) -> Any:
        return self.make(self.first + index)


def stream(make: Any, first: int, workers: int, count: int = _STREAM) -> Iterator[Any]:
    """`make(first)`, `make(first + 1)` ... made ahead of time by `workers` processes (0: by this one, when asked for)."""
    if not workers:
        yield from map(make, range(first, first + count))
        return
    loader = DataLoader(
        Batches(make, first, count),
        batch_size=None,
        sampler=range(count),
        num_workers=workers,
        prefetch_factor=3,
        worker_init_fn=_quiet,
        multiprocessing_context="spawn",
    )
    yield from loader


def clip_stream(
    seed: int,
    first: int,
    shapes: Sequence[ClipShape],
    workers: int,
    footage: Footage = NO_FOOTAGE,
) -> Iterator[ClipBatch]:
    """Batches from number `first` on, without end and with the shapes in turn."""
    make = partial(_in_turn, seed, shapes=shapes, footage=footage)
    return stream(make, first, workers)


def _in_turn(seed: int, number: int, shapes: Sequence[ClipShape], footage: Footage) -> ClipBatch:
    return clip_batch(seed, number, shapes[number % len(shapes)], footage=footage)


def _quiet(_worker: int) -> None:
    """One core per process: there are several."""
    cv2.setNumThreads(1)
    torch.set_num_threads(1)


Clip = tuple[npt.NDArray[np.uint8], npt.NDArray[np.bool_]]
"""Frames (T, S, S, 3), and masks (targets, T, S, S), of which none is empty in the first frame."""


def _some(
    rng: np.random.Generator,
    shape: ClipShape,
    levels: tuple[int, ...],
    footage: Footage,
) -> list[Clip]:
    """One clip or several, or none, of a source that chance takes."""
    if not footage.stills or rng.random() < footage.generated:
        return _clips(rng, shape, levels)
    chance, target = rng.random(), 0
    if shape.trials or chance < CUT_OUT:
        frames, ids, target = _of_cut_outs(rng, footage.stills, shape)
    elif footage.reels and shape.frames > 1 and chance < CUT_OUT + OF_REELS:
        frames, ids = _of_reel(rng, footage.reels[int(rng.integers(len(footage.reels)))], shape)
    else:
        image, numbers = footage.still(rng, shape.targets).read()
        frames, ids = film(rng, image, numbers, shape.frames, shape.side)
    return _finished(rng, frames, ids, shape, [slice(None)], target)


def _of_cut_outs(
    rng: np.random.Generator, stills: Sequence[Still], shape: ClipShape
) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.uint8], int]:
    """Objects of photographs over photographs, and the target's number in a trial."""
    side = (shape.side, shape.side)
    stride = int(rng.integers(TRIAL_STRIDE if shape.trials else 1, LONGEST_STRIDE + 1))
    frames, ids, target = shoot(rng, stills, shape.frames, side, stride, shape.trials)
    return frames, ids, target if shape.trials else 0


def _of_reel(
    rng: np.random.Generator, reel: Reel, shape: ClipShape
) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.uint8]]:
    """A part of a real video in a window that stands still."""
    step = int(rng.integers(1, LONGEST_STEP + 1))
    span = min(len(reel.frames), (shape.frames - 1) * step + 1)
    first = int(rng.integers(len(reel.frames) - span + 1))
    places = np.linspace(first, first + span - 1, shape.frames).round().astype(int)
    read = [reel.frames[place].read() for place in places]
    full = round(shape.side * rng.uniform(1.0, max(1.0, LARGE / shape.side)))
    ids = [cv2.resize(each, (full, full), interpolation=cv2.INTER_NEAREST) for _, each in read]
    window = _window(rng, np.asarray(ids[0], np.uint8), shape.side)
    frames = [cv2.resize(frame, (full, full), interpolation=cv2.INTER_AREA)[window] for frame, _ in read]
    return np.stack(frames).astype(np.uint8), np.stack([each[window] for each in ids]).astype(np.uint8)


def _finished(
    rng: np.random.Generator,
    frames: npt.NDArray[np.uint8],
    ids: npt.NDArray[np.uint8],
    shape: ClipShape,
    parts: Sequence[slice],
    target: int = 0,
) -> list[Clip]:
    """Some backwards; cut into parts, each with its targets. Those with nothing to track are left out."""
    if rng.random() < BACKWARDS:
        frames, ids = frames[::-1].copy(), ids[::-1].copy()
    clips = [(frames[part], _targets(rng, ids[part], shape.targets, target)) for part in parts]
    return [(clip, masks) for clip, masks in clips if len(masks)]


def _clips(rng: np.random.Generator, shape: ClipShape, levels: tuple[int, ...]) -> list[Clip]:
    """One clip of a new scene of the generated world, or several single frames of it."""
    side = shape.side
    aspect = ASPECTS[rng.integers(len(ASPECTS))]
    full = round(side * rng.uniform(1.0, shape.zoom))
    size = round(full / aspect**0.5), round(full * aspect**0.5)
    stills = shape.frames == 1
    stride = STILL_STRIDE if stills else int(rng.integers(TRIAL_STRIDE if shape.trials else 1, LONGEST_STRIDE + 1))
    level = LEVELS[-1] if shape.trials else levels[rng.integers(len(levels))]
    # To stage a scene takes as long as to render some frames of it.
    count = STILLS if stills else shape.frames
    world = generate(int(rng.integers(HELD_OUT_SEED)), level, count, size, stride)
    square = (full, full)
    first = cv2.resize(world.ids[0], square, interpolation=cv2.INTER_NEAREST)
    target = world.target if shape.trials else 0
    window = _window(rng, np.where(first == target, first, 0) if target else first, side)
    frames = np.stack([cv2.resize(frame, square, interpolation=cv2.INTER_LINEAR)[window] for frame in world.frames])
    ids = np.stack([cv2.resize(each, square, interpolation=cv2.INTER_NEAREST)[window] for each in world.ids])
    parts = [slice(t, t + 1) for t in range(count)] if stills else [slice(None)]
    return _finished(rng, frames, ids, shape, parts, target)


def _window(rng: np.random.Generator, ids: npt.NDArray[np.uint8], side: int) -> tuple[slice, slice]:
    """A window of `side` pixels that shows a part of something."""
    places = np.argwhere(ids > 0)
    place = places[rng.integers(len(places))] if len(places) else np.array(ids.shape) // 2
    starts = np.clip(place - rng.integers(0, side, 2), 0, np.array(ids.shape) - side)
    return slice(starts[0], starts[0] + side), slice(starts[1], starts[1] + side)


def _targets(
    rng: np.random.Generator, ids: npt.NDArray[np.uint8], limit: int, wanted: int = 0
) -> npt.NDArray[np.bool_]:
    """Masks (targets, T, S, S) of things that can be prompted in the first frame, `wanted` among them where it can be."""
    sizes = np.bincount(ids[0].ravel(), minlength=256)[1:]
    shown = np.flatnonzero(sizes >= max(8, SMALLEST_SHARE * ids[0].size)) + 1
    # Whatever goes out of sight within the clip is taken first: such frames are rare, and teach the object score.
    vanishes = np.array([not (ids == number).any((1, 2)).all() for number in shown], bool)
    chosen = shown[np.argsort(rng.random(len(shown)) - vanishes - 2 * (shown == wanted))[:limit]]
    return ids[None] == chosen[:, None, None, None]
