"""Pictures with times to an MP4 file."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np

from fastsam2_ros.bags.disk import cannot_write
from fastsam2_ros.images import RgbImage

ENCODERS = ("libx264", "libopenh264", "mpeg4")
_LONGEST_SIDE = 8190
"""Pixels, that each of libx264 and mpeg4 takes."""
_LONGEST_GAP_MS = 2_000
# Written in pieces of a second, each of which can be played without the end of the file, and made one at the end.
_OPTIONS = {"movflags": "hybrid_fragmented", "frag_duration": "1000000", "flush_packets": "1"}


class OverlayVideo:
    """An MP4 file whose pictures keep the distances of their times, up to 2 s; other sizes are scaled to the first.

    Sides are even, 2 to 8190 pixels; a first picture of other sides is scaled too.

    What was written before a full disk or a kill can be played.

    Args:
        path: file to make.
    """

    def __init__(self, path: str | Path) -> None:
        self._path = Path(path)
        self._container: Any = None
        self._stream: Any = None
        self._failed = False
        self._last_ns = 0
        self._place_ms = 0

    def write(self, rgb: RgbImage, time_ns: int) -> None:
        """Append a picture: uint8 (H, W, 3), RGB; a time that does not rise is taken as 1 ms later.

        Raises:
            BagError: it cannot be written, as on a full disk.
        """
        try:
            if self._container is None:
                self._open(rgb.shape[0], rgb.shape[1])
            else:
                gap_ms = (time_ns - self._last_ns) // 1_000_000
                self._place_ms += min(max(gap_ms, 1), _LONGEST_GAP_MS)
            self._last_ns = time_ns
            size = self._stream.width, self._stream.height
            if rgb.shape[1::-1] != size:
                rgb = np.asarray(cv2.resize(rgb, size), np.uint8)
            picture = av.VideoFrame.from_ndarray(rgb, format="rgb24")
            picture.pts, picture.time_base = self._place_ms, Fraction(1, 1000)
            self._container.mux(self._stream.encode(picture))
        except (av.FFmpegError, OSError) as error:
            self._failed = True
            raise cannot_write(self._path, error) from error

    def _open(self, height: int, width: int) -> None:
        self._container = av.open(str(self._path), "w", options=_OPTIONS)
        encoder = next(name for name in ENCODERS if name in av.codecs_available)
        self._stream = self._container.add_stream(encoder, rate=30)
        # Chroma is stored at half the resolution: sizes are even.
        self._stream.width, self._stream.height = (min(_LONGEST_SIDE, max(2, n // 2 * 2)) for n in (width, height))
        self._stream.pix_fmt = "yuv420p"
        self._stream.codec_context.time_base = Fraction(1, 1000)
        self._stream.codec_context.max_b_frames = 0  # so that pictures are in the file in their order, the first at 0
        if encoder != "libx264":
            self._stream.bit_rate = 4_000_000  # their default is too low for contours and text

    def close(self) -> None:
        """Finish the file; without pictures there is none.

        Raises:
            BagError: it cannot be finished, as on a full disk; not where `write` has said so already.
        """
        if self._container is None:
            return
        try:
            try:
                self._container.mux(self._stream.encode())
            finally:
                self._container.close()
        except (av.FFmpegError, OSError) as error:
            if not self._failed:
                raise cannot_write(self._path, error) from error
