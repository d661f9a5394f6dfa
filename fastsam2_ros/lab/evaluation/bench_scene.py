"""What is timed: a generated scene at a camera's size, its things the targets."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from fastsam2_ros.errors import InputError
from fastsam2_ros.lab.synthetic.world import HELD_OUT_SEED, generate
from fastsam2_ros.results import Box

SIZE = (720, 1280)
"""Height and width of the frames, pixels."""
# Six things that cover a fiftieth to a fifteenth of the frame each, none of them hidden at first; the camera moves slowly.
_SEED, _LEVEL = HELD_OUT_SEED + 8, 2


@dataclass(frozen=True)
class BenchScene:
    """A clip and where its things are at first.

    Attributes:
        frames: uint8 (T, H, W, 3), RGB, at 30 Hz.
        boxes: of all things in the first frame, the described one first.
    """

    frames: npt.NDArray[np.uint8]
    boxes: tuple[Box, ...]

    def targets(self, count: int) -> tuple[Box, ...]:
        """The first boxes.

        Raises:
            InputError: there are not so many things.
        """
        if not 1 <= count <= len(self.boxes):
            raise InputError(f"{count} targets are asked for; the scene that is timed has 1 to {len(self.boxes)}.")
        return self.boxes[:count]


@lru_cache(maxsize=1)
def bench_scene(frames: int) -> BenchScene:
    """The scene for so many frames; always the same."""
    world = generate(_SEED, _LEVEL, frames, SIZE)
    things = sorted(range(len(world.objects)), key=lambda place: world.objects[place].id != world.target)
    x_y_w_h = [tuple(map(float, world.boxes[0, place])) for place in things]
    return BenchScene(world.frames, tuple((x, y, width, height) for x, y, width, height in x_y_w_h))
