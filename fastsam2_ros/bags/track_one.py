"""One recording from its first frame to its last: what is wanted of it, the tracker's steps, and its results."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from fastsam2_ros.bags.frames import FrameSource
from fastsam2_ros.bags.result_files import ResultFiles
from fastsam2_ros.bags.rising_stamps import RisingStamps
from fastsam2_ros.config import TrackerConfig
from fastsam2_ros.errors import BagError, InputError
from fastsam2_ros.images import ImageDecoder, RgbImage
from fastsam2_ros.results import Box, TrackResult

if TYPE_CHECKING:
    from fastsam2_ros.tracker import TextTracker

_log = logging.getLogger(__name__)


class Tracker(Protocol):
    """What `run_track` needs of a tracker; `TextTracker` is one."""

    def step(self, frame: RgbImage, stamp_ns: int, *, view_tokens: bool) -> TrackResult:
        """See `TextTracker.step`."""


@dataclass(frozen=True)
class Wanted:
    """What is to be done with a recording.

    Attributes:
        config: the tracker's settings.
        description: what to track, perhaps several; empty: no text.
        boxes: track what is in them, pixels of the first frame.
        example: picture file of a thing to track.
        topic: the bag's image topic; empty: its only one.
        max_frames: where it ends; None: with the recording.
        storage: of the output bag.
        tokens: make a video of the kept tokens.
    """

    config: TrackerConfig
    description: str = ""
    boxes: tuple[Box, ...] = ()
    example: Path | None = None
    topic: str = ""
    max_frames: int | None = None
    storage: str = "mcap"
    tokens: bool = False

    def aim(self, tracker: TextTracker) -> TextTracker:
        """The same tracker, told what to track.

        Raises:
            InputError: the example cannot be read, or the tracker cannot search.
        """
        tracker.set_target(self.description)
        if self.example is not None:
            tracker.set_example(picture(self.example, self.config.max_megapixels))
        for item in self.boxes:
            tracker.set_box(item)
        return tracker


def run_track(
    frames: FrameSource,
    tracker: Tracker,
    outputs: ResultFiles,
    max_frames: int | None = None,
    show: Callable[[TrackResult], None] | None = None,
) -> int:
    """Step through all frames and write the results.

    Args:
        frames: of the recording.
        tracker: told what to track.
        outputs: where results go.
        max_frames: where it ends; None: with the recording.
        show: is called with each result.

    Returns:
        number of frames.

    Raises:
        BagError: the source is damaged or the disk full; results of the frames before are written.
    """
    count, stamps = 0, RisingStamps(frames.name)
    try:
        for frame in islice(frames, max_frames):
            result = tracker.step(frame.rgb, stamps.of(frame), view_tokens=outputs.wants_tokens)
            for warning in result.warnings:
                _log.warning("frame %d: %s", count, warning)
            outputs.write(count, frame, result)
            count += 1
            if show is not None:
                show(result)
    except BagError as error:
        raise BagError(f"{error} The results of the {count} frames before are in {outputs.folder}.") from error
    return count


def picture(path: Path, max_megapixels: float) -> RgbImage:
    """A picture file, upright.

    Raises:
        InputError: it cannot be read.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        raise InputError(f"The example {path} cannot be read ({error.strerror}); give a JPEG or PNG file.") from error
    try:
        return ImageDecoder(max_megapixels).decode_compressed(path.suffix.removeprefix("."), data)
    except InputError as error:
        raise InputError(f"The example {path}: {error}") from error
