"""What the router learns from: videos with true masks, and videos without."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Protocol

import numpy as np

from fastsam2_ros.bags.frames import FrameSource, open_frames
from fastsam2_ros.bags.read import is_bag
from fastsam2_ros.errors import InputError
from fastsam2_ros.images import RgbImage
from fastsam2_ros.lab.evaluation.baselines import starting
from fastsam2_ros.lab.evaluation.datasets import open_dataset
from fastsam2_ros.lab.evaluation.metrics import Mask
from fastsam2_ros.lab.evaluation.sequences import Dataset, VideoSequence
from fastsam2_ros.lab.evaluation.worlds import sequence_of
from fastsam2_ros.lab.synthetic.world import HELD_OUT_SEED, LEVELS, generate
from fastsam2_ros.results import Box

VALIDATION_SEED = 3 * HELD_OUT_SEED
"""Generated sequences from here on are neither trained on, nor among those that evaluations report."""
LONGEST_STRIDE = 3
"""Frames of the 30 Hz world per frame of a generated sequence, at most."""
ONE_IN = 5
"""One recording in so many is held out; where there is one alone, such a share of its frames."""
HELD_OUT_FRAMES = 100
"""At most, of that one."""


@dataclass(frozen=True)
class Shown:
    """One frame, and what is told with it.

    Attributes:
        rgb: uint8 (H, W, 3).
        stamp_ns: nanoseconds.
        starts: mask bool (H, W) and description by the number of a target that is to be tracked from here on.
        truth: bool (H, W) by number; a target that is not here is not seen. None: not known.
    """

    rgb: RgbImage
    stamp_ns: int
    starts: Mapping[int, tuple[Mask, str]]
    truth: Mapping[int, Mask] | None


@dataclass(frozen=True)
class Recording:
    """A video and its targets, read when it is gone through.

    Attributes:
        name: in messages.
        frames: gives them, from the first.
        text: targets that are searched by their descriptions, separated by ';'.
        boxes: targets of the first frame; x, y, width, height in pixels.
        first, last: of the frames in which something is tracked, only those from `first` on and before `last` are learned
            from; None: to the end.
    """

    name: str
    frames: Callable[[], Iterator[Shown]]
    text: str = ""
    boxes: Sequence[Box] = ()
    first: int = 0
    last: int | None = None


class Source(Protocol):
    """Recordings to train on without end, and some that are held out."""

    @property
    def round(self) -> int:
        """After so many, all that differs in kind has been seen."""

    @property
    def held_out(self) -> Sequence[Recording]:
        """Never trained on."""

    def recording(self, number: int) -> Recording:
        """Number 0, 1, 2 ... to train on; the same for the same number."""


@dataclass(frozen=True)
class Worlds:
    """The generated world, with its truth: all levels, several speeds.

    Attributes:
        seed: of the run.
        frames: of each sequence.
        size: height, width, pixels.
        validations: sequences held out.
    """

    seed: int = 0
    frames: int = 24
    size: tuple[int, int] = (384, 512)
    validations: int = 9

    @property
    def round(self) -> int:
        """See `Source`."""
        return 3 * len(LEVELS)

    @property
    def held_out(self) -> list[Recording]:
        """See `Source`."""
        return [self._generated(VALIDATION_SEED + i, LEVELS[i % len(LEVELS)], 2) for i in range(self.validations)]

    def recording(self, number: int) -> Recording:
        """See `Source`."""
        rng = np.random.default_rng((self.seed, number))
        level, stride = int(rng.choice(LEVELS)), int(rng.integers(1, LONGEST_STRIDE + 1))
        return self._generated(int(rng.integers(HELD_OUT_SEED)), level, stride)

    def _generated(self, seed: int, level: int, stride: int) -> Recording:
        name = f"{seed}-level-{level}"
        return Recording(
            name, lambda: _annotated(sequence_of(generate(seed, level, self.frames, self.size, stride), name))
        )


class Stored:
    """Recordings on disk, over and over, in an order that the seed shuffles anew for each round."""

    def __init__(self, recordings: Sequence[Recording], seed: int = 0) -> None:
        self.seed = seed
        if len(recordings) > 1:
            self.held_out = list(recordings[ONE_IN - 1 :: ONE_IN] or recordings[-1:])
            self._used = [each for each in recordings if each not in self.held_out]
        else:
            length = sum(1 for _ in recordings[0].frames())
            cut = max(1, min(length // ONE_IN, HELD_OUT_FRAMES))
            self.held_out = [replace(recordings[0], last=cut)]
            self._used = [replace(recordings[0], first=cut)]

    @property
    def round(self) -> int:
        """See `Source`."""
        return len(self._used)

    def recording(self, number: int) -> Recording:
        """See `Source`."""
        turn, place = divmod(number, len(self._used))
        return self._used[np.random.default_rng((self.seed, turn)).permutation(len(self._used))[place]]


def open_recordings(path: Path, text: str, boxes: Sequence[Box], topic: str) -> list[Recording]:
    """The sequences of a data set with their true masks, or the one of a bag, video or folder of images.

    Args:
        path: see `datasets.open_dataset` and `frames.open_frames`.
        text, boxes: what to track where there are no masks.
        topic: the bag's image topic; empty: its only one.

    Raises:
        InputError: nothing is annotated, and neither text nor box is given.
        BagError: none of all these, or damaged.
    """
    if path.is_dir() and not is_bag(path) and any(path.glob("**/JPEGImages*")):
        dataset = open_dataset(path)
        return [Recording(name, partial(_opened, dataset, name)) for name in dataset.names]
    frames = open_frames(path, topic)
    if not text.strip() and not boxes:
        raise InputError(f"{path} has no true masks; say what to track in it: --text 'red mug', or --box x,y,w,h.")
    return [Recording(frames.name, partial(_shown, frames), text, boxes)]


def _annotated(sequence: VideoSequence) -> Iterator[Shown]:
    annotated = frozenset(sequence.annotated)
    for index, stamp_ns in enumerate(sequence.stamps_ns):
        truth = sequence.footage.truth(index).masks if index in annotated else None
        starts = {
            number: (mask, sequence.descriptions.get(number, "object"))
            for number, mask in starting(sequence, index).items()
        }
        yield Shown(sequence.footage.frame(index), stamp_ns, starts, truth)


def _opened(dataset: Dataset, name: str) -> Iterator[Shown]:
    yield from _annotated(dataset.open(name))


def _shown(frames: FrameSource) -> Iterator[Shown]:
    for frame in frames:
        yield Shown(frame.rgb, frame.stamp_ns, {}, None)
