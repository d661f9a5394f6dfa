"""`fastsam2 bag`: a bag of a video or a folder of images."""

from __future__ import annotations

import argparse
from pathlib import Path

import cv2
import numpy as np
from rich.markup import escape
from rich.progress import track

from fastsam2_ros.bags.frames import FrameSource, open_frames
from fastsam2_ros.bags.messages import IMAGE, image_message
from fastsam2_ros.bags.write import STORAGES, BagWriter
from fastsam2_ros.config import MAX_MEGAPIXELS
from fastsam2_ros.errors import BagError
from fastsam2_ros.images import RgbImage
from fastsam2_ros.printable import printable

_LARGEST = 178_000_000  # pixels
EXAMPLE = "fastsam2 bag kitchen.mp4 kitchen_bag --topic /camera/image_raw --size 1280x720"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The command's arguments."""
    parser.add_argument("source", type=Path, help="video file, folder of JPEG and PNG images, or another bag")
    parser.add_argument("out", type=Path, help="folder of the new bag")
    parser.add_argument("--topic", default="/camera/image_raw", help="topic of the images (default: %(default)s)")
    parser.add_argument("--from-topic", default="", help="image topic to read where the source is a bag")
    parser.add_argument("--rate", type=float, help="stamp frames at so many Hz (default: as in the source; folders 30)")
    parser.add_argument("--encoding", choices=["bgr8", "rgb8"], default="bgr8", help="(default: %(default)s)")
    parser.add_argument("--frame-id", default="camera", help="frame_id of the images (default: %(default)s)")
    parser.add_argument("--storage", choices=STORAGES, default="mcap", help="(default: %(default)s)")
    parser.add_argument("--start", type=float, default=0.0, metavar="S", help="leave out the first S seconds")
    parser.add_argument("--max-frames", type=frame_count, metavar="N", help="end after N frames")
    parser.add_argument(
        "--max-megapixels",
        type=float,
        default=MAX_MEGAPIXELS,
        metavar="MP",
        help="largest image (default: %(default)s)",
    )
    parser.add_argument("--size", type=image_size, metavar="WxH", help="scale to this size, pixels")


def run(arguments: argparse.Namespace) -> None:
    """Make the bag."""
    source = open_frames(arguments.source, arguments.from_topic, arguments.max_megapixels)
    count = make_bag(
        source,
        arguments.out,
        topic=arguments.topic,
        frame_id=arguments.frame_id,
        encoding=arguments.encoding,
        storage=arguments.storage,
        rate=arguments.rate,
        start=arguments.start,
        max_frames=arguments.max_frames,
        size=arguments.size,
    )
    print(f"{arguments.out}: {count} frames on {arguments.topic}")


def make_bag(
    source: FrameSource,
    out: str | Path,
    *,
    topic: str = "/camera/image_raw",
    frame_id: str = "camera",
    encoding: str = "bgr8",
    storage: str = "mcap",
    rate: float | None = None,
    start: float = 0.0,
    max_frames: int | None = None,
    size: tuple[int, int] | None = None,
) -> int:
    """Write the frames of a source as sensor_msgs/Image to a new bag, in the order and at the times of their recording.

    Args:
        source: see `open_frames`.
        out: folder of the bag; must not exist.
        topic, frame_id: of the images.
        encoding: bgr8 or rgb8.
        storage: mcap or sqlite3.
        rate: Hz; the frames are stamped and recorded at n / rate. None: the source's stamps and times.
        start: seconds of the source that are left out.
        max_frames: end after so many; None: all.
        size: width, height that frames are scaled to; None: as they are.

    Returns:
        number of frames written.

    Raises:
        BagError: the source is damaged (the frames before are written), has no frame to write, or `out` exists.
    """
    if rate is not None and not 1e-6 <= rate < 1e9:
        raise BagError(f"--rate is {rate} Hz; it must be above 0, from 1e-6 to 1e9.")
    if not 0 <= start < 1e9:
        raise BagError(f"--start is {start} s; it must be from 0 to 1e9.")
    count, first_ns = 0, None
    with BagWriter(out, storage) as bag:
        bag.add_topic(topic, IMAGE)
        for frame in track(source, description=escape(printable(source.name)), total=source.length, transient=True):
            first_ns = frame.time_ns if first_ns is None else first_ns
            if frame.time_ns - first_ns < start * 1e9:
                continue
            if max_frames is not None and count >= max_frames:
                break
            due_ns = None if rate is None else round(count * 1e9 / rate)
            stamp_ns, time_ns = (frame.stamp_ns, frame.time_ns) if due_ns is None else (due_ns, due_ns)
            bag.write(topic, time_ns, image_message(_scaled(frame.rgb, size), encoding, stamp_ns, frame_id))
            count += 1
    if not count:
        raise BagError(f"{source.name} has no frame after {start} s; the bag {out} is empty.")
    return count


def image_size(text: str) -> tuple[int, int]:
    """Width and height of a text such as 1280x720."""
    width, _, height = text.lower().partition("x")
    if not (width.isdecimal() and height.isdecimal() and int(width) and int(height)):
        raise argparse.ArgumentTypeError(f"{text!r} is no size such as 1280x720")
    if len(width) > 6 or len(height) > 6 or int(width) * int(height) > _LARGEST:
        raise argparse.ArgumentTypeError(f"{text!r} is more than {_LARGEST // 10**6} megapixels")
    return int(width), int(height)


def frame_count(text: str) -> int:
    """A whole number of frames above 0."""
    if not text.isdecimal() or len(text) > 18 or not int(text):
        raise argparse.ArgumentTypeError(f"{text!r} is no number of frames above 0")
    return int(text)


def _scaled(rgb: RgbImage, size: tuple[int, int] | None) -> RgbImage:
    height, width = rgb.shape[:2]
    if size is None or size == (width, height):
        return rgb
    smaller = size[0] * size[1] < width * height
    return np.asarray(cv2.resize(rgb, size, interpolation=cv2.INTER_AREA if smaller else cv2.INTER_LINEAR))
