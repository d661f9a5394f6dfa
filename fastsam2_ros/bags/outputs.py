"""What `fastsam2 track` leaves behind: masks, labels, tracks, a bag and an overlay video."""

from __future__ import annotations

import json
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from types import TracebackType
from typing import Any

import av
import cv2
import numpy as np

from fastsam2_ros.bags.frames import Frame
from fastsam2_ros.bags.messages import IMAGE, TRACKS, image_message, tracks_message
from fastsam2_ros.bags.write import BagWriter
from fastsam2_ros.errors import BagError
from fastsam2_ros.images import RgbImage
from fastsam2_ros.pictures.overlay import draw
from fastsam2_ros.pictures.tokens import History, draw_tokens
from fastsam2_ros.results import TrackedObject, TrackResult

MASK_TOPIC = "/fastsam2_tracker/mask"
LABELS_TOPIC = "/fastsam2_tracker/labels"
TRACKS_TOPIC = "/fastsam2_tracker/tracks"
TOKENS_TOPIC = "/fastsam2_tracker/tokens"

_VIDEO_ENCODERS = ("libx264", "libopenh264", "mpeg4")
_LONGEST = 8190
"""Side of a picture in pixels that each of libx264 and mpeg4 takes."""


class Outputs:
    """A folder of results; a context manager that leaves whole files behind also when it is left by an error.

    `masks/000000.png` (grey, 0 or 255, union of all targets), `labels/000000.png` (16 bit, 0 or the id),
    `tracks.jsonl` (one frame a line), `bag` (mask, labels and tracks, with the source's stamps and frame_id) and
    `overlay.mp4`; with `tokens`, `tokens.mp4`. The same results make the same bytes: no times of this run are written.

    Args:
        folder: made where it does not exist; must be empty.
        storage: of the bag: mcap or sqlite3.
        tokens: make `tokens.mp4` of the results' `tokens`.

    Raises:
        BagError: the folder holds something, or cannot be made.
    """

    def __init__(self, folder: str | Path, storage: str = "mcap", tokens: bool = False) -> None:
        self.folder = Path(folder)
        if self.folder.is_dir() and any(self.folder.iterdir()):
            raise BagError(f"The folder {self.folder} is not empty; name another with --out, or remove it first.")
        try:
            for name in ("masks", "labels"):
                (self.folder / name).mkdir(parents=True)
            self._tracks = (self.folder / "tracks.jsonl").open("w", encoding="utf-8")
        except OSError as error:
            raise BagError(f"The folder {self.folder} cannot be made: {error}") from error
        self._video = OverlayVideo(self.folder / "overlay.mp4")
        self._tokens_video = OverlayVideo(self.folder / "tokens.mp4") if tokens else None
        self._history = History()
        self._bag = BagWriter(self.folder / "bag", storage)
        for topic, msgtype in ((MASK_TOPIC, IMAGE), (LABELS_TOPIC, IMAGE), (TRACKS_TOPIC, TRACKS)):
            self._bag.add_topic(topic, msgtype)

    @property
    def wants_tokens(self) -> bool:
        """Whether the results that are to be written must have `tokens`."""
        return self._tokens_video is not None

    def write(self, number: int, frame: Frame, result: TrackResult) -> None:
        """Write the result of one frame; `number` names its pictures."""
        mask, labels = result.union_mask(), result.labels()
        for name, image in (("masks", mask), ("labels", labels)):
            file = self.folder / name / f"{number:06}.png"
            if not cv2.imwrite(str(file), image):
                raise BagError(f"{file} cannot be written; is the disk full?")
        self._tracks.write(json.dumps(as_plain(result), ensure_ascii=False) + "\n")
        stamp = result.stamp_ns
        self._bag.write(MASK_TOPIC, stamp, image_message(mask, "mono8", stamp, frame.frame_id))
        self._bag.write(LABELS_TOPIC, stamp, image_message(labels, "16UC1", stamp, frame.frame_id))
        self._bag.write(TRACKS_TOPIC, stamp, tracks_message(result, frame.frame_id))
        self._video.write(draw(frame.rgb, replace(result, stage_seconds={})), stamp)
        self._history.add(result)
        if self._tokens_video is not None:
            self._tokens_video.write(draw_tokens(frame.rgb, result, self._history), stamp)

    def __enter__(self) -> Outputs:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._tracks.close()
        self._bag.close()
        self._video.close()
        if self._tokens_video is not None:
            self._tokens_video.close()


class OverlayVideo:
    """An MP4 file whose pictures keep the distances of their stamps; pictures of another size are scaled to the first.

    Sides are even, 2 to 8190 pixels; a first picture of other sides is scaled too.

    Args:
        path: file to make.
    """

    def __init__(self, path: str | Path) -> None:
        self._path = Path(path)
        self._container: Any = None
        self._stream: Any = None
        self._first_ns = 0
        self._last_ms = -1

    def write(self, rgb: RgbImage, stamp_ns: int) -> None:
        """Append a picture: uint8 (H, W, 3), RGB; a stamp that does not rise is taken as 1 ms later."""
        if self._container is None:
            self._open(rgb.shape[0], rgb.shape[1])
            self._first_ns = stamp_ns
        size = self._stream.width, self._stream.height
        if rgb.shape[1::-1] != size:
            rgb = np.asarray(cv2.resize(rgb, size), np.uint8)
        picture = av.VideoFrame.from_ndarray(rgb, format="rgb24")
        self._last_ms = max(self._last_ms + 1, (stamp_ns - self._first_ns) // 1_000_000)
        picture.pts, picture.time_base = self._last_ms, Fraction(1, 1000)
        self._container.mux(self._stream.encode(picture))

    def _open(self, height: int, width: int) -> None:
        self._container = av.open(str(self._path), "w")
        encoder = next(name for name in _VIDEO_ENCODERS if name in av.codecs_available)
        self._stream = self._container.add_stream(encoder, rate=30)
        # Chroma is stored at half the resolution: sizes are even.
        self._stream.width, self._stream.height = (min(_LONGEST, max(2, n // 2 * 2)) for n in (width, height))
        self._stream.pix_fmt = "yuv420p"
        self._stream.codec_context.time_base = Fraction(1, 1000)
        if encoder != "libx264":
            self._stream.bit_rate = 4_000_000  # their default is too low for contours and text

    def close(self) -> None:
        """Finish the file; without pictures there is none."""
        if self._container is not None:
            self._container.mux(self._stream.encode())
            self._container.close()


def as_plain(result: TrackResult) -> dict[str, Any]:
    """A result as a line of tracks.jsonl: without masks and without times of the run."""
    return {
        "stamp_ns": result.stamp_ns,
        "frame_index": result.frame_index,
        "motion": float(result.motion),
        "keep_ratio": float(result.keep_ratio),
        "tokens_kept": result.tokens_kept,
        "tokens_total": result.tokens_total,
        "attention_flops": float(result.attention_flops),
        "untrained": result.untrained,
        "objects": [_plain_object(item) for item in result.objects],
    }


def _plain_object(item: TrackedObject) -> dict[str, Any]:
    return {
        "id": item.id,
        "description": item.description,
        "state": item.state.name,
        "score": float(item.score),
        "box": item.box and [float(value) for value in item.box],
        "centroid": item.centroid and [float(value) for value in item.centroid],
        "area": int(item.area),
    }
