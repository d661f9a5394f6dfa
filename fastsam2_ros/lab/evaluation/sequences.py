"""What is evaluated: videos with true masks of some or all frames."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from fastsam2_ros.images import RgbImage
from fastsam2_ros.lab.evaluation.metrics import Mask


@dataclass(frozen=True)
class Truth:
    """What is to be seen in one frame.

    Attributes:
        masks: bool (H, W) by object; an object that is not here is not seen. They may overlap.
        void: bool (H, W), pixels that do not count; None: all count.
    """

    masks: Mapping[int, Mask]
    void: Mask | None = None


class Footage(Protocol):
    """Frames and their truth, read when they are asked for."""

    def frame(self, index: int) -> RgbImage:
        """uint8 (H, W, 3), RGB."""

    def truth(self, index: int) -> Truth:
        """The true masks of a frame that is annotated."""


@dataclass(frozen=True)
class VideoSequence:
    """One video.

    Attributes:
        name: unique in its data set.
        footage: gives frames and truth by their index.
        frame_names: of all frames in their order, without suffix; results carry them.
        stamps_ns: of all frames, nanoseconds.
        annotated: indices of the frames that have a truth, rising.
        first: the index of the first frame with a mask, by object.
        descriptions: text by object, where there is one.
        absent: descriptions of what is not in the video.
        group: rows of the report are made by it, such as the level of difficulty; empty: none.
    """

    name: str
    footage: Footage
    frame_names: Sequence[str]
    stamps_ns: Sequence[int]
    annotated: Sequence[int]
    first: Mapping[int, int]
    descriptions: Mapping[int, str] = field(default_factory=dict)
    absent: Sequence[str] = ()
    group: str = ""

    def __len__(self) -> int:
        return len(self.frame_names)


class Dataset(Protocol):
    """Sequences by name; can be pickled, so that other processes open their own."""

    @property
    def title(self) -> str:
        """Names it in reports."""

    @property
    def identity(self) -> str:
        """Differs from that of any data set with other sequences under the same names."""

    @property
    def names(self) -> Sequence[str]:
        """Of the sequences, in their order."""

    def open(self, name: str, max_frames: int | None = None) -> VideoSequence:
        """Open a sequence, or its first `max_frames` frames.

        Raises:
            InputError: files are missing or damaged.
        """


def first_frames(footage: Footage, annotated: Sequence[int]) -> dict[int, int]:
    """The index of the first frame with a mask, by object, rising."""
    first: dict[int, int] = {}
    for index in annotated:
        for number in footage.truth(index).masks:
            first.setdefault(number, index)
    return dict(sorted(first.items()))
