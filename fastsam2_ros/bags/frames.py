"""Camera frames from whatever holds them: a bag, a video file, a folder of images."""

from __future__ import annotations

import logging
from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import av

from fastsam2_ros.bags.messages import COMPRESSED_IMAGE, IMAGE_TYPES, message_types, stamp_to_ns
from fastsam2_ros.bags.read import Bag, is_bag
from fastsam2_ros.errors import BagError, InputError
from fastsam2_ros.images import RgbImage, decode_compressed, decode_image

IMAGE_SUFFIXES = (".jpg", ".jpeg", ".png")
"""File name suffixes, in any case, of the images of a folder."""

FOLDER_RATE = 30.0
"""Frames per second that the images of a folder are taken to have."""

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Frame:
    """One camera frame.

    Attributes:
        stamp_ns: from the message's header, the video's timestamps, or the image's number; nanoseconds.
        frame_id: the header's; "camera" where there is none.
        rgb: uint8 (H, W, 3).
    """

    stamp_ns: int
    frame_id: str
    rgb: RgbImage


class FrameSource(ABC):
    """Frames in their order; can be gone through again.

    Attributes:
        name: path, and topic where it is a bag.
        length: number of frames, as far as the source tells; else None.
    """

    name: str
    length: int | None

    @abstractmethod
    def __iter__(self) -> Iterator[Frame]:
        """Raises `BagError` at the place of a damage, after the frames before it."""


def open_frames(source: str | Path, topic: str = "") -> FrameSource:
    """The frames of a bag, a video file or a folder of images.

    Args:
        source: a rosbag2 folder, an .mcap or .db3 file, a folder of JPEG and PNG files, or a video.
        topic: the bag's image topic; empty: its only one.

    Raises:
        BagError: missing, unreadable, without frames, without this topic, or with several and none named.
    """
    path = Path(source)
    if not path.exists():
        raise BagError(f"There is no bag, video or image folder {path}.")
    if is_bag(path):
        return BagFrames(path, topic)
    return FolderFrames(path) if path.is_dir() else VideoFrames(path)


class BagFrames(FrameSource):
    """The images of one topic of a bag: sensor_msgs/Image or CompressedImage."""

    def __init__(self, path: Path, topic: str = "") -> None:
        with Bag(path) as bag:
            self.topic = _image_topic(bag, topic)
            self.length = bag.count([self.topic])
        self.path, self.name = path, f"{path} {self.topic}"

    def __iter__(self) -> Iterator[Frame]:
        types = message_types()
        delivered, trouble = 0, ""
        with Bag(self.path) as bag:
            for number, message in enumerate(bag.messages([self.topic])):
                try:
                    frame = _decode(types.deserialize_cdr(message.data, message.connection.msgtype))
                except InputError as error:
                    trouble = f"{self.name}, message {number}: {error}"
                    _log.warning("%s The frame is left out.", trouble)
                    continue
                except Exception as error:
                    raise BagError(f"{self.name}, message {number} is damaged: {error}") from error
                delivered += 1
                yield frame
        if not delivered:
            raise BagError(trouble or f"{self.name}: the topic has no messages.")


class VideoFrames(FrameSource):
    """The frames of a video file, stamped with its own timestamps."""

    def __init__(self, path: Path) -> None:
        self.path, self.name = path, str(path)
        with self._opened() as container:
            self.length = container.streams.video[0].frames or None

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
        return container

    def __iter__(self) -> Iterator[Frame]:
        delivered = 0
        with self._opened() as container:
            stream = container.streams.video[0]
            stream.thread_type = "AUTO"
            period_ns = 1e9 / float(stream.average_rate or FOLDER_RATE)
            shift_ns = None
            try:
                for picture in container.decode(stream):
                    if picture.pts is None:
                        stamp_ns = round(delivered * period_ns)
                    else:
                        stamp_ns = round(picture.pts * picture.time_base * 1_000_000_000)
                    # Edit lists can start before zero; a bag's stamps cannot.
                    shift_ns = max(0, -stamp_ns) if shift_ns is None else shift_ns
                    yield Frame(stamp_ns + shift_ns, "camera", picture.to_ndarray(format="rgb24"))
                    delivered += 1
            except av.FFmpegError as error:
                raise BagError(f"{self.path} is damaged after {delivered} frames: {error}") from error
        if not delivered:
            raise BagError(f"{self.path} has no frame that can be decoded.")


class FolderFrames(FrameSource):
    """The JPEG and PNG files of a folder by name, `FOLDER_RATE` per second. Other files are ignored."""

    def __init__(self, path: Path) -> None:
        self.path, self.name = path, str(path)
        self.files = sorted(file for file in path.iterdir() if file.suffix.lower() in IMAGE_SUFFIXES)
        self.length = len(self.files)
        if not self.files:
            raise BagError(f"The folder {path} holds neither a bag nor images ({', '.join(IMAGE_SUFFIXES)}).")

    def __iter__(self) -> Iterator[Frame]:
        for number, file in enumerate(self.files):
            try:
                rgb = decode_compressed(file.suffix, file.read_bytes())
            except (InputError, OSError) as error:
                raise BagError(f"{file}: {error} Mend it or take it out of the folder.") from error
            yield Frame(round(number * 1e9 / FOLDER_RATE), "camera", rgb)


def _image_topic(bag: Bag, topic: str) -> str:
    topics = bag.topics(IMAGE_TYPES)
    if topic:
        name = "/" + topic.lstrip("/")
        if name not in topics:
            there = f"its image topics are {', '.join(topics)}" if topics else "it has no image topic"
            raise BagError(f"The bag {bag.path} has no image topic {name}; {there}.")
        return name
    if not topics:
        raise BagError(
            f"The bag {bag.path} has no topic of type {' or '.join(IMAGE_TYPES)}; "
            f"its topics are {', '.join(bag.topics()) or 'none'}."
        )
    if len(topics) > 1:
        raise BagError(f"The bag {bag.path} has several image topics; name one with --topic: {', '.join(topics)}.")
    return topics[0]


def _decode(message: Any) -> Frame:
    if message.__msgtype__ == COMPRESSED_IMAGE:
        rgb = decode_compressed(message.format, message.data)
    else:
        rgb = decode_image(message.encoding, message.height, message.width, message.step, message.data)
    return Frame(stamp_to_ns(message.header.stamp), message.header.frame_id, rgb)
