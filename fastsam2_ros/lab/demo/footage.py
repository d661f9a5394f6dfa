"""The short bag that the demo replays: a scene made on the spot, or somebody's footage."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import repeat
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

from fastsam2_ros.bags.frames import BagFrames, Frame, FrameSource
from fastsam2_ros.bags.messages import IMAGE, image_message
from fastsam2_ros.bags.write import BagWriter
from fastsam2_ros.errors import BagError
from fastsam2_ros.images import RgbImage
from fastsam2_ros.lab.synthetic.world import HELD_OUT_SEED, RATE, WorldSequence, generate

IMAGE_TOPIC = "/camera/image_raw"
TRUTH_TOPIC = "/truth/mask"
"""mono8, 255 where the described thing is visible. Not replayed."""

# With look-alikes, and something that hides the target for a while.
_LEVEL, _SEED = 3, HELD_OUT_SEED
# Stamps that begin at zero could be taken for no stamp at all.
_START_NS = 1_000_000_000


@dataclass(frozen=True)
class Footage:
    """A bag to replay.

    Attributes:
        path: of the bag; its images are on `IMAGE_TOPIC`.
        origin: what it was made of, for people.
        description: what to look for in it.
        stamps_ns: of its frames.
        size: width, height of the first frame, pixels.
        has_truth: whether it has `TRUTH_TOPIC`.
    """

    path: Path
    origin: str
    description: str
    stamps_ns: tuple[int, ...]
    size: tuple[int, int]
    has_truth: bool

    @property
    def rate(self) -> float:
        """Frames per second; 0 where there is one frame only."""
        seconds = (self.stamps_ns[-1] - self.stamps_ns[0]) / 1e9
        return (len(self.stamps_ns) - 1) / seconds if seconds > 0 else 0.0

    def frames(self) -> Iterator[tuple[Frame, npt.NDArray[np.bool_] | None]]:
        """Every frame, and where the described thing is in it: bool (H, W), or None where that is not known."""
        images = BagFrames(self.path, IMAGE_TOPIC)
        if not self.has_truth:
            yield from zip(images, repeat(None))
            return
        for frame, truth in zip(images, BagFrames(self.path, TRUTH_TOPIC), strict=True):
            yield frame, truth.rgb[..., 0] > 0


def scene(frames: int, rate: float, size: tuple[int, int]) -> WorldSequence:
    """The generated world that is shown; arguments as those of `generated`."""
    return generate(_SEED, _LEVEL, frames, size[::-1], stride=max(1, round(RATE / rate)))


def generated(path: Path, description: str, *, frames: int, rate: float, size: tuple[int, int]) -> Footage:
    """A bag of the generated world, with its truth.

    Args:
        path: folder of the bag; must not exist.
        description: empty: the scene's own. The truth is only known for that one.
        frames: how many.
        rate: frames per second, as near as the world's 30 Hz allow.
        size: width, height, pixels.
    """
    world = scene(frames, rate, size)
    knows = description in ("", world.description)
    stamps = tuple(int(stamp) + _START_NS for stamp in world.stamps_ns)
    with BagWriter(path) as bag:
        bag.add_topic(IMAGE_TOPIC, IMAGE)
        if knows:
            bag.add_topic(TRUTH_TOPIC, IMAGE)
        for stamp, rgb, ids in zip(stamps, world.frames, world.ids, strict=True):
            bag.write(IMAGE_TOPIC, stamp, image_message(rgb, "bgr8", stamp, "camera"))
            if knows:
                mask = np.where(ids == world.target, np.uint8(255), np.uint8(0))
                bag.write(TRUTH_TOPIC, stamp, image_message(mask, "mono8", stamp, "camera"))
    origin = f"generated scene, level {_LEVEL}, seed {_SEED}"
    return Footage(path, origin, description or world.description, stamps, size, knows)


def shortened(
    path: Path, source: FrameSource, description: str, *, frames: int, rate: float, size: tuple[int, int]
) -> Footage:
    """A bag of the beginning of somebody's footage, at its own speed.

    Args:
        path: folder of the bag; must not exist.
        source: see `bags.frames.open_frames`.
        description: what to look for.
        frames: at most so many.
        rate: at most so many frames per second; those in between are left out.
        size: width, height that frames are scaled down to fit in, pixels.

    Raises:
        BagError: the source is damaged or has no frames.
    """
    stamps: list[int] = []
    first_size, shift_ns, due_ns = size, 0, 0.0
    with BagWriter(path) as bag:
        bag.add_topic(IMAGE_TOPIC, IMAGE)
        for frame in source:
            # Headers may say anything. The demo tells frames apart by their stamps, so that these are the recording times.
            if not stamps:
                shift_ns = 0 if frame.time_ns else _START_NS
                due_ns = frame.time_ns
            # A tenth of a frame early is in time: stamps are rounded, and the camera's clock is not ours.
            if frame.time_ns < due_ns - 0.1e9 / rate:
                continue
            due_ns = max(due_ns + 1e9 / rate, frame.time_ns)
            rgb, stamp = _fitted(frame.rgb, size), frame.time_ns + shift_ns
            first_size = first_size if stamps else (rgb.shape[1], rgb.shape[0])
            bag.write(IMAGE_TOPIC, stamp, image_message(rgb, "bgr8", stamp, frame.frame_id))
            stamps.append(stamp)
            if len(stamps) == frames:
                break
    if not stamps:
        raise BagError(f"{source.name} has no frames.")
    return Footage(path, source.name, description, tuple(stamps), first_size, has_truth=False)


def _fitted(rgb: RgbImage, size: tuple[int, int]) -> RgbImage:
    height, width = rgb.shape[:2]
    scale = min(1.0, size[0] / width, size[1] / height)
    if scale == 1:
        return rgb
    smaller = max(1, round(width * scale)), max(1, round(height * scale))
    return np.asarray(cv2.resize(rgb, smaller, interpolation=cv2.INTER_AREA), np.uint8)
