"""What `fastsam2 track` leaves behind: masks, labels, tracks, a bag and an overlay video."""

from __future__ import annotations

import json
import logging
from contextlib import ExitStack, closing
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import Any

import cv2

from fastsam2_ros.bags.disk import LineFile, uninterrupted, write_whole
from fastsam2_ros.bags.messages import IMAGE, TRACKS, image_message, tracks_message
from fastsam2_ros.bags.overlay_video import OverlayVideo
from fastsam2_ros.bags.source import Frame
from fastsam2_ros.bags.write import BagWriter
from fastsam2_ros.batch.marker import UNFINISHED
from fastsam2_ros.errors import BagError
from fastsam2_ros.pictures.overlay import draw
from fastsam2_ros.pictures.tokens import History, draw_tokens
from fastsam2_ros.results import TrackedObject, TrackResult

MASK_TOPIC = "/fastsam2_tracker/mask"
LABELS_TOPIC = "/fastsam2_tracker/labels"
TRACKS_TOPIC = "/fastsam2_tracker/tracks"
TOKENS_TOPIC = "/fastsam2_tracker/tokens"

_log = logging.getLogger(__name__)


class ResultFiles:
    """A folder of results; a context manager that leaves whole files behind also when it is left by an error.

    Each file is closed whatever became of the others; what was written a second before a kill can be read.

    `masks/000000.png` (grey, 0 or 255, union of all targets), `labels/000000.png` (16 bit, 0 or the id),
    `tracks.jsonl` (one frame a line), `bag` (mask, labels and tracks, with the source's stamps and frame_id) and
    `overlay.mp4`; with `tokens`, `tokens.mp4`. The same results make the same bytes: no times of this run are written.

    Args:
        folder: made where it does not exist; must be empty, but for `marker.UNFINISHED`.
        storage: of the bag: mcap or sqlite3.
        tokens: make `tokens.mp4` of the results' `tokens`.

    Raises:
        BagError: the folder holds something, or cannot be made.
    """

    def __init__(self, folder: str | Path, storage: str = "mcap", tokens: bool = False) -> None:
        self.folder = Path(folder)
        if self.folder.is_dir() and any(file.name != UNFINISHED for file in self.folder.iterdir()):
            raise BagError(f"The folder {self.folder} is not empty; name another with --out, or remove it first.")
        try:
            for name in ("masks", "labels"):
                (self.folder / name).mkdir(parents=True)
        except OSError as error:
            raise BagError(f"The folder {self.folder} cannot be made: {error}") from error
        self._history = History()
        with ExitStack() as stack:
            self._tracks = stack.enter_context(closing(LineFile(self.folder / "tracks.jsonl")))
            self._video = stack.enter_context(closing(OverlayVideo(self.folder / "overlay.mp4")))
            self._tokens_video = (
                stack.enter_context(closing(OverlayVideo(self.folder / "tokens.mp4"))) if tokens else None
            )
            self._bag = stack.enter_context(BagWriter(self.folder / "bag", storage, every_second=False))
            for topic, msgtype in ((MASK_TOPIC, IMAGE), (LABELS_TOPIC, IMAGE), (TRACKS_TOPIC, TRACKS)):
                self._bag.add_topic(topic, msgtype)
            self._stack = stack.pop_all()

    @property
    def wants_tokens(self) -> bool:
        """Whether the results that are to be written must have `tokens`."""
        return self._tokens_video is not None

    def write(self, number: int, frame: Frame, result: TrackResult) -> None:
        """Write the result of one frame; `number` names its pictures. Ctrl-C waits for the end of it.

        Headers and tracks.jsonl have the frame's stamp; bag and videos follow its recording time.

        Raises:
            BagError: something cannot be written, as on a full disk.
        """
        with uninterrupted():
            mask, labels = result.union_mask(), result.labels()
            for name, image in (("masks", mask), ("labels", labels)):
                write_whole(self.folder / name / f"{number:06}.png", cv2.imencode(".png", image)[1].tobytes())
            stamp, time_ns = frame.stamp_ns, frame.time_ns
            self._tracks.write(json.dumps(as_plain(replace(result, stamp_ns=stamp)), ensure_ascii=False))
            self._bag.write(MASK_TOPIC, time_ns, image_message(mask, "mono8", stamp, frame.frame_id))
            self._bag.write(LABELS_TOPIC, time_ns, image_message(labels, "16UC1", stamp, frame.frame_id))
            self._bag.write(TRACKS_TOPIC, time_ns, tracks_message(result.objects, stamp, frame.frame_id))
            self._bag.flush()  # not by the clock: the same results make the same bytes
            self._video.write(draw(frame.rgb, replace(result, stage_seconds={})), time_ns)
            self._history.add(result)
            if self._tokens_video is not None:
                self._tokens_video.write(draw_tokens(frame.rgb, result, self._history), time_ns)

    def __enter__(self) -> ResultFiles:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            with uninterrupted():
                self._stack.__exit__(kind, error, trace)
        except BagError as later:
            if error is None:
                raise
            # The first error is the one to tell; what it brought about comes beside it.
            _log.warning("%s", later)


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
