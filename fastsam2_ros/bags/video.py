"""The frames of a video file."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import av
import numpy as np

from fastsam2_ros.bags.source import Frame, FrameSource
from fastsam2_ros.config import MAX_MEGAPIXELS
from fastsam2_ros.errors import BagError
from fastsam2_ros.images import RgbImage

_NOMINAL_RATE = 30.0


class VideoFrames(FrameSource):
    """The frames of a video file, upright, at its own timestamps; where those do not rise, they go on from the last."""

    def __init__(self, path: Path, max_megapixels: float = MAX_MEGAPIXELS) -> None:
        self.path, self.name, self._max_megapixels = path, str(path), max_megapixels
        with self._opened() as container:
            stream = container.streams.video[0]
            self.length = stream.frames or None
            width, height = stream.codec_context.width, stream.codec_context.height
        if width * height > max_megapixels * 1e6:
            raise BagError(
                f"{path} has frames of {width} x {height} pixels; at most {max_megapixels:g} megapixels are decoded. "
                "Raise max_megapixels to read it."
            )

    def _opened(self) -> Any:
        try:
            container = av.open(str(self.path))
        except (av.FFmpegError, OSError) as error:
            raise BagError(
                f"{self.path} cannot be opened as a video ({error}); is it a video, a bag or a folder of images?"
            ) from error
        if not container.streams.video:
            container.close()
            raise BagError(f"{self.path} has no video stream.")
        if container.streams.video[0].codec_context is None:  # a kind of video that FFmpeg knows, but was built without
            container.close()
            raise BagError(f"{self.path} is of a kind that PyAV's FFmpeg cannot decode.")
        return container

    def __iter__(self) -> Iterator[Frame]:
        with self._opened() as container:
            stream = container.streams.video[0]
            stream.thread_type = "AUTO"
            # What the file announces is not what has to come: a later frame may be of any size.
            stream.codec_context.options = {"max_pixels": str(min(int(self._max_megapixels * 1e6), 2**31 - 1))}
            period_ns = 1e9 / float(stream.average_rate or _NOMINAL_RATE)
            reading, time_ns = _Reading(container, stream), 0
            for time_ns, picture in timed(reading.pictures(), period_ns):
                yield Frame(time_ns, time_ns, "camera", _upright(picture))
            problem = reading.problem(time_ns + period_ns)
        if problem:
            raise BagError(f"{self.path} is truncated or damaged: {problem}.")
        if not reading.decoded:
            raise BagError(f"{self.path} has no frame that can be decoded.")


def timed(pictures: Iterable[Any], period_ns: float) -> Iterator[tuple[int, Any]]:
    """Pictures with their times, nanoseconds, which begin at 0 or later and rise.

    Args:
        pictures: with `pts` and `time_base`, as PyAV's.
        period_ns: from one picture to the next where the file's own timestamps do not tell.
    """
    last_ns, shift_ns = -1, 0
    for picture in pictures:
        due_ns = round(last_ns + period_ns) if last_ns >= 0 else 0
        time_ns = due_ns
        if picture.pts is not None:
            time_ns = round(picture.pts * picture.time_base * 1_000_000_000) + shift_ns
            # Edit lists can start before zero, joined files start again: time cannot do either.
            if time_ns <= last_ns or time_ns < 0:
                shift_ns += due_ns - time_ns
                time_ns = due_ns
        last_ns = time_ns
        yield time_ns, picture


class _Reading:
    """One passage through a video stream, which goes on after what cannot be decoded and counts it."""

    def __init__(self, container: Any, stream: Any) -> None:
        self._container, self._stream = container, stream
        self._packets = 0
        self._undecodable = 0
        self._end = ""
        self.decoded = 0

    def pictures(self) -> Iterator[Any]:
        """Every picture that can be decoded."""
        for packet in self._readable_packets():
            try:
                pictures = packet.decode()
            except av.FFmpegError:
                self._undecodable += 1
                continue
            self.decoded += len(pictures)
            yield from pictures

    def _readable_packets(self) -> Iterator[Any]:
        try:
            for packet in self._container.demux(self._stream):
                self._packets += packet.size > 0
                yield packet
        except av.FFmpegError as error:
            self._end = str(error)

    def problem(self, end_ns: float) -> str:
        """What is missing, or nothing; `end_ns`: when the last picture ends, nanoseconds."""
        duration_ns = self._duration_ns()
        announced = self._stream.frames or round(duration_ns * 1e-9 * float(self._stream.average_rate or _NOMINAL_RATE))
        missing_ns = duration_ns - end_ns
        if self._stream.frames:
            # Both: an edit list may leave out frames that are counted, and a last frame may be shown for long.
            period_ns = duration_ns / self._stream.frames
            short = self._packets < self._stream.frames and (not duration_ns or missing_ns > 1.5 * period_ns)
        else:
            short = missing_ns > max(1e9, 0.1 * duration_ns)
        if not (short or self._undecodable or self._end):
            return ""
        of = f" of {announced}" if announced >= self.decoded and announced else ""
        return f"{self.decoded}{of} frames could be decoded" + (f" ({self._end})" if self._end else "")

    def _duration_ns(self) -> float:
        """Of the video stream; 0 where the file does not tell it."""
        if self._stream.duration is not None:
            return float(self._stream.duration * self._stream.time_base) * 1e9
        if self._container.duration is not None and len(self._container.streams) == 1:
            return float(self._container.duration) * 1e9 / av.time_base
        return 0.0


def _upright(picture: Any) -> RgbImage:
    """uint8 (H, W, 3), turned as the file's display matrix says."""
    rgb = picture.to_ndarray(format="rgb24")
    turns = round(picture.rotation / 90)  # counter-clockwise
    return np.ascontiguousarray(np.rot90(rgb, turns)) if turns % 4 else rgb
