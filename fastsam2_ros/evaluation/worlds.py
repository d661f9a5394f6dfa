"""The generated world as a data set: sequences that no training has seen, made when they are opened."""

from __future__ import annotations

from dataclasses import dataclass

from fastsam2_ros.errors import InputError
from fastsam2_ros.evaluation.sequences import Truth, VideoSequence
from fastsam2_ros.images import RgbImage
from fastsam2_ros.synthetic.world import HELD_OUT_SEED, LEVELS, WorldSequence, generate

SEQUENCES, FRAMES = 100, 60
"""What the project's figures are of."""


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
