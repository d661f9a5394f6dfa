"""Camera frames from whatever holds them: a bag, a video file, a folder of images."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from fastsam2_ros.bags.messages import COMPRESSED_IMAGE, IMAGE_TYPES, message_types
from fastsam2_ros.bags.natural_order import visible_files
from fastsam2_ros.bags.read import Bag, Message, is_bag
from fastsam2_ros.bags.source import Frame, FrameSource
from fastsam2_ros.bags.video import VideoFrames
from fastsam2_ros.config import MAX_MEGAPIXELS
from fastsam2_ros.errors import BagError, InputError
from fastsam2_ros.images import ImageDecoder
from fastsam2_ros.message_fields import stamp_to_ns

IMAGE_SUFFIXES = (".jpg", ".jpeg", ".png")
"""File name suffixes, in any case, of the images of a folder."""

FOLDER_RATE = 30.0
"""Frames per second that the images of a folder are taken to have."""

_log = logging.getLogger(__name__)


def open_frames(source: str | Path, topic: str = "", max_megapixels: float = MAX_MEGAPIXELS) -> FrameSource:
    """The frames of a bag, a video file or a folder of images.

    Args:
        source: a rosbag2 folder, an .mcap or .db3 file, a folder of JPEG and PNG files, or a video.
        topic: the bag's image topic; empty: its only one.
        max_megapixels: larger frames are not decoded.

    Raises:
        BagError: missing, unreadable, without frames, without this topic, or with several and none named.
    """
    path = Path(source)
    if not path.exists():
        raise BagError(f"There is no bag, video or image folder {path}.")
    if not (path.is_file() or path.is_dir()):  # such as a pipe, whose opening may never end
        raise BagError(f"{path} is neither a file nor a folder; a bag, a video and a folder of images can be read.")
    if is_bag(path):
        return BagFrames(path, topic, max_megapixels)
    return FolderFrames(path, max_megapixels) if path.is_dir() else VideoFrames(path, max_megapixels)


class BagFrames(FrameSource):
    """The images of one topic of a bag: sensor_msgs/Image or CompressedImage, by recording time.

    Images that cannot be used are left out; the first is told in a warning, and their number at the end. Messages that are
    damaged are an error, after the others.
    """

    def __init__(self, path: Path, topic: str = "", max_megapixels: float = MAX_MEGAPIXELS) -> None:
        with Bag(path) as bag:
            self.topic = _image_topic(bag, topic)
            self.length = bag.count([self.topic])
        self.path, self.name, self._max_megapixels = path, f"{path} {self.topic}", max_megapixels

    def __iter__(self) -> Iterator[Frame]:
        decoder = ImageDecoder(self._max_megapixels)
        number, left_out, time_ns, trouble, damage = -1, 0, 0, "", ""
        with Bag(self.path) as bag:
            for number, message in enumerate(bag.messages([self.topic])):
                time_ns = max(time_ns, message.time_ns)
                try:
                    frame = _decode(message, time_ns, decoder)
                except InputError as error:
                    left_out += 1
                    if isinstance(error, _DamagedMessageError):
                        damage = damage or f"message {number} {error}"
                    elif not trouble:
                        trouble = f"{self.name}, message {number}: {error}"
                        _log.warning("%s The frame is left out.", trouble)
                    continue
                yield frame
        if damage:
            raise BagError(
                f"The bag {self.name} is damaged: {number + 1 - left_out} of {number + 1} frames were had ({damage})."
            )
        if left_out == number + 1:
            raise BagError(trouble or f"{self.name}: the topic has no messages.")
        if left_out > 1:
            _log.warning("%s: %d of %d frames were left out.", self.name, left_out, number + 1)


class _DamagedMessageError(InputError):
    """A message whose bytes are none of its type."""


class FolderFrames(FrameSource):
    """The JPEG and PNG files of a folder in natural order, `FOLDER_RATE` per second. Other and hidden files are ignored."""

    def __init__(self, path: Path, max_megapixels: float = MAX_MEGAPIXELS) -> None:
        self.path, self.name, self._max_megapixels = path, str(path), max_megapixels
        self.files = visible_files(path, IMAGE_SUFFIXES)
        self.length = len(self.files)
        if not self.files:
            raise BagError(f"The folder {path} holds neither a bag nor images ({', '.join(IMAGE_SUFFIXES)}).")

    def __iter__(self) -> Iterator[Frame]:
        decoder = ImageDecoder(self._max_megapixels)
        for number, file in enumerate(self.files):
            try:
                rgb = decoder.decode_compressed(file.suffix, file.read_bytes())
            except (InputError, OSError) as error:
                raise BagError(f"{file}: {error} Mend it or take it out of the folder.") from error
            time_ns = round(number * 1e9 / FOLDER_RATE)
            yield Frame(time_ns, time_ns, "camera", rgb)


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
    # A camera's other topics are often recorded without a message.
    topics = [name for name in topics if bag.count([name])] or topics[:1]
    if len(topics) > 1:
        raise BagError(f"The bag {bag.path} has several image topics; name one with --topic: {', '.join(topics)}.")
    return topics[0]


def _decode(message: Message, time_ns: int, decoder: ImageDecoder) -> Frame:
    """Raises `InputError` where no frame can be made of it, `_DamagedMessageError` where it is none."""
    try:
        content: Any = message_types().deserialize_cdr(message.data, message.connection.msgtype)
    except Exception as error:  # struct's, numpy's, text's: what damaged bytes raise depends on where they are damaged
        raise _DamagedMessageError(
            f"ends or reads wrong: {' '.join(str(error).split()) or type(error).__name__}"
        ) from error
    if message.connection.msgtype == COMPRESSED_IMAGE:
        rgb = decoder.decode_compressed(content.format, content.data)
    else:
        fields = content.encoding, content.height, content.width, content.step, content.data
        rgb = decoder.decode(*fields, is_bigendian=content.is_bigendian)
    return Frame(stamp_to_ns(content.header.stamp), time_ns, content.header.frame_id, rgb)
