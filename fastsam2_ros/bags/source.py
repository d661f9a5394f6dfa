"""A camera frame of a recording, and what gives them."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass

from fastsam2_ros.images import RgbImage


@dataclass(frozen=True)
class Frame:
    """One camera frame.

    Attributes:
        stamp_ns: from the message's header, nanoseconds: data, which may stand still, start again or be negative. As
            `time_ns` where there is no header.
        time_ns: when it was recorded, nanoseconds, from 0 on; never less than that of the frame before. From the bag, the
            video's timestamps, or the image's number.
        frame_id: the header's; "camera" where there is none.
        rgb: uint8 (H, W, 3).
    """

    stamp_ns: int
    time_ns: int
    frame_id: str
    rgb: RgbImage


class FrameSource(ABC):
    """Frames in the order of their recording; can be gone through again.

    Attributes:
        name: path, and topic where it is a bag.
        length: number of frames, as far as the source tells; else None.
    """

    name: str
    length: int | None

    @abstractmethod
    def __iter__(self) -> Iterator[Frame]:
        """Raises `BagError` where frames are missing or damaged, after those that can be had."""
