"""The generated world as a data set: sequences that no training has seen, made when they are opened."""

from __future__ import annotations

from dataclasses import dataclass, replace

import cv2
import numpy as np

from fastsam2_ros.errors import InputError
from fastsam2_ros.images import RgbImage
from fastsam2_ros.lab.evaluation.sequences import Truth, VideoSequence
from fastsam2_ros.lab.synthetic.world import HELD_OUT_SEED, LEVELS, WorldSequence, generate

SEQUENCES, FRAMES = 100, 60
"""What the project's figures are of."""
CLOSE_UPS = 12
"""Close-ups beside them."""
CLOSE = 0.35
"""Share of the first frame that the target of a close-up covers; less where it is very small, or at the edge."""
_NARROWEST = 0.25  # Side of a close-up's window, as a share of the frame's: what is cut out closer is a blur.


@dataclass(frozen=True)
class WorldFootage:
    """A generated sequence; its truth is the mask of the described object alone, all others are there to be confused."""

    world: WorldSequence

    def frame(self, index: int) -> RgbImage:
        """uint8 (H, W, 3), RGB."""
        return self.world.frames[index]

    def truth(self, index: int) -> Truth:
        """The described object's mask."""
        mask = self.world.ids[index] == self.world.target
        return Truth({self.world.target: mask} if mask.any() else {})


@dataclass(frozen=True)
class WorldDataset:
    """Held-out sequences, an equal mix of the levels of difficulty.

    Attributes:
        count: how many sequences.
        size: height, width of the frames, pixels.
    """

    count: int = SEQUENCES
    size: tuple[int, int] = (384, 512)

    @property
    def title(self) -> str:
        """In reports."""
        return "synthetic"

    @property
    def identity(self) -> str:
        """What the sequences are made of, but for their number: more of them begin with the same."""
        return f"synthetic {self.size[1]}x{self.size[0]}"

    @property
    def names(self) -> list[str]:
        """Seed and level."""
        return [f"{HELD_OUT_SEED + i}-level-{LEVELS[i % len(LEVELS)]}" for i in range(self.count)]

    def open(self, name: str, max_frames: int | None = None) -> VideoSequence:
        """See `Dataset.open`."""
        if name not in self.names:
            raise InputError(f"There is no generated sequence {name!r}; the first is {self.names[0]}.")
        seed, _, level = name.split("-")
        world = generate(int(seed), int(level), FRAMES if max_frames is None else max_frames, self.size)
        return sequence_of(world, name)


@dataclass(frozen=True)
class CloseUpFootage:
    """A part of a generated sequence, enlarged to the size of the whole.

    Attributes:
        whole: the footage.
        window: x, y, width, height of the part, pixels.
    """

    whole: WorldFootage
    window: tuple[int, int, int, int]

    def frame(self, index: int) -> RgbImage:
        """uint8 (H, W, 3), RGB."""
        return self._enlarged(self.whole.frame(index), cv2.INTER_CUBIC)

    def truth(self, index: int) -> Truth:
        """The described object's mask."""
        masks = {
            number: self._enlarged(mask.astype(np.uint8), cv2.INTER_NEAREST).astype(bool)
            for number, mask in self.whole.truth(index).masks.items()
        }
        return Truth({number: mask for number, mask in masks.items() if mask.any()})

    def _enlarged(self, image: RgbImage, interpolation: int) -> RgbImage:
        left, top, width, height = self.window
        part = image[top : top + height, left : left + width]
        return np.asarray(cv2.resize(part, image.shape[1::-1], interpolation=interpolation), np.uint8)


@dataclass(frozen=True)
class CloseUpDataset(WorldDataset):
    """Held-out sequences of the first level, cut out where the target is at first and enlarged until it covers `CLOSE`.

    What a robot is about to grasp fills much of its camera's picture.
    """

    count: int = CLOSE_UPS

    @property
    def title(self) -> str:
        """In reports."""
        return "close-ups"

    @property
    def identity(self) -> str:
        """See `WorldDataset.identity`."""
        return f"close-ups {CLOSE:g} of {super().identity}"

    @property
    def names(self) -> list[str]:
        """Those of the whole sequences."""
        return WorldDataset(self.count * len(LEVELS), self.size).names[:: len(LEVELS)]

    def open(self, name: str, max_frames: int | None = None) -> VideoSequence:
        """See `Dataset.open`."""
        sequence = super().open(name, max_frames)
        assert isinstance(sequence.footage, WorldFootage)
        world = sequence.footage.world
        rows, columns = np.nonzero(world.ids[0] == world.target)
        height, width = self.size
        side = float(np.clip((len(rows) / CLOSE / (height * width)) ** 0.5, _NARROWEST, 1.0))
        across, down = round(side * width), round(side * height)
        left = int(np.clip(round(columns.mean() - across / 2), 0, width - across))
        top = int(np.clip(round(rows.mean() - down / 2), 0, height - down))
        return replace(sequence, footage=CloseUpFootage(sequence.footage, (left, top, across, down)), group="")


def sequence_of(world: WorldSequence, name: str) -> VideoSequence:
    """A generated sequence under a name."""
    indices = range(len(world.frames))
    return VideoSequence(
        name=name,
        footage=WorldFootage(world),
        frame_names=[f"{index:05}" for index in indices],
        stamps_ns=world.stamps_ns.tolist(),
        annotated=indices,
        first={world.target: 0},
        descriptions={world.target: world.description},
        absent=world.absent,
        group=f"level {world.level}",
    )
