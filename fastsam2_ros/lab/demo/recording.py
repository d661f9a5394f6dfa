"""What came over the graph, read back from the recorded bag."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from fastsam2_ros.bags.messages import message_types
from fastsam2_ros.bags.read import Bag
from fastsam2_ros.bags.result_files import LABELS_TOPIC, TOKENS_TOPIC, TRACKS_TOPIC
from fastsam2_ros.errors import BagError
from fastsam2_ros.images import ImageDecoder, RgbImage
from fastsam2_ros.lab.demo.footage import IMAGE_TOPIC
from fastsam2_ros.lab.demo.session import STATUS_TOPIC
from fastsam2_ros.message_fields import stamp_to_ns
from fastsam2_ros.results import TrackedObject, TrackResult, TrackState


@dataclass(frozen=True)
class Processed:
    """One frame that the node processed.

    Attributes:
        stamp_ns: the frame's.
        status: TrackerStatus after it.
        tracks: TrackedObjectArray of it.
        seconds_on_graph: from the arrival of its image to that of its tracks, by the recorder's clock; None where the
            recorder was not yet there for the image.
    """

    stamp_ns: int
    status: Any
    tracks: Any
    seconds_on_graph: float | None


class Recording:
    """A bag of `session.RECORDED`.

    Args:
        path: of the bag.

    Attributes:
        frames: those that were processed, by stamp.
        last: the last status.
        output_rate: processed frames per second, by the recorder's clock; 0 for fewer than two.

    Raises:
        BagError: nothing was processed, or the bag is damaged.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        images: dict[int, int] = {}  # by stamp: when they came, nanoseconds
        times: dict[int, int] = {}
        tracks: dict[int, Any] = {}
        statuses: dict[int, Any] = {}
        self.last: Any = None
        with Bag(path) as bag:
            for message in bag.messages([IMAGE_TOPIC, TRACKS_TOPIC, STATUS_TOPIC]):
                content: Any = message_types().deserialize_cdr(message.data, message.connection.msgtype)
                stamp_ns = stamp_to_ns(content.header.stamp)
                if message.connection.topic == IMAGE_TOPIC:
                    images[stamp_ns] = message.time_ns
                elif message.connection.topic == TRACKS_TOPIC:
                    times[stamp_ns], tracks[stamp_ns] = message.time_ns, content
                else:
                    self.last = content
                    if content.processing_time > 0:  # else it tells of a change of targets, not of a frame
                        statuses[stamp_ns] = content
        stamps = sorted(tracks.keys() & statuses.keys())
        if not stamps:
            raise BagError(f"The node has processed nothing: {path} holds no tracks.")
        self.frames = tuple(
            Processed(
                stamp, statuses[stamp], tracks[stamp], (times[stamp] - images[stamp]) / 1e9 if stamp in images else None
            )
            for stamp in stamps
        )
        seconds = (times[stamps[-1]] - times[stamps[0]]) / 1e9
        self.output_rate = (len(stamps) - 1) / seconds if seconds > 0 else 0.0

    def results(self) -> Iterator[TrackResult]:
        """The messages of each processed frame, by stamp, as the result that they were made of."""
        frames = {frame.stamp_ns: (number, frame) for number, frame in enumerate(self.frames)}
        with Bag(self._path) as bag:
            for message in bag.messages([LABELS_TOPIC]):
                image: Any = message_types().deserialize_cdr(message.data, message.connection.msgtype)
                found = frames.get(stamp_to_ns(image.header.stamp))
                if found is not None:
                    yield _result(*found, labels=_labels(image))

    def tokens(self) -> Iterator[tuple[int, RgbImage]]:
        """Stamps, and pictures of the tokens as the node published them."""
        decoder = ImageDecoder()
        with Bag(self._path) as bag:
            for message in bag.messages([TOKENS_TOPIC]):
                image: Any = message_types().deserialize_cdr(message.data, message.connection.msgtype)
                pixels = decoder.decode(image.encoding, image.height, image.width, image.step, image.data)
                yield stamp_to_ns(image.header.stamp), pixels


def _labels(image: Any) -> npt.NDArray[np.uint16]:
    """uint16 (H, W) of a 16UC1 image."""
    rows = np.asarray(image.data).reshape(image.height, image.step)[:, : image.width * 2]
    return np.ascontiguousarray(rows).view(">u2" if image.is_bigendian else "<u2").astype(np.uint16)


def _result(number: int, frame: Processed, labels: npt.NDArray[np.uint16]) -> TrackResult:
    status = frame.status
    return TrackResult(
        stamp_ns=frame.stamp_ns,
        size=(labels.shape[0], labels.shape[1]),
        frame_index=number,
        objects=tuple(_object(item, labels) for item in frame.tracks.objects),
        motion=float(status.motion),
        keep_ratio=float(status.keep_ratio),
        tokens_kept=int(status.tokens_kept),
        tokens_total=int(status.tokens_total),
        stage_seconds=dict(zip(status.stages, map(float, status.stage_seconds), strict=True)),
        untrained=bool(status.untrained),
    )


def _object(item: Any, labels: npt.NDArray[np.uint16]) -> TrackedObject:
    box = (float(item.box.x_offset), float(item.box.y_offset), float(item.box.width), float(item.box.height))
    return TrackedObject(
        id=int(item.id),
        description=item.description,
        state=TrackState(item.state),
        score=float(item.score),
        box=box if item.has_box else None,
        centroid=(float(item.centroid_x), float(item.centroid_y)) if item.has_box else None,
        area=int(item.area),
        mask=(labels == item.id) & (item.id > 0),  # 0, that of what was never found, is the background's
    )
