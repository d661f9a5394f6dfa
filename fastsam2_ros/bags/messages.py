"""ROS 2 messages without ROS: their types, and the ones that this package writes."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Iterator
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy.typing as npt
from rosbags.typesys import Stores, get_types_from_msg, get_typestore
from rosbags.typesys.store import Typestore

from fastsam2_ros.errors import BagError
from fastsam2_ros.images import encode_image
from fastsam2_ros.message_fields import region_of_interest, tracked_object
from fastsam2_ros.results import TrackedObject

IMAGE = "sensor_msgs/msg/Image"
COMPRESSED_IMAGE = "sensor_msgs/msg/CompressedImage"
IMAGE_TYPES = (IMAGE, COMPRESSED_IMAGE)
_LARGEST_SECONDS = 2**31 - 1
TRACKS = "fastsam2_ros/msg/TrackedObjectArray"


@lru_cache
def message_types() -> Typestore:
    """The types of Humble, whose images and headers are those of every later ROS 2, and our own."""
    types = get_typestore(Stores.ROS2_HUMBLE)
    add_type(types, TRACKS)
    add_type(types, "fastsam2_ros/msg/TrackerStatus")
    return types


def add_type(types: Typestore, name: str) -> None:
    """Register a message type, such as "vision_msgs/msg/Detection2DArray", and those that it is made of.

    Raises:
        BagError: its package is neither installed nor this one.
    """
    found: dict[str, Any] = {}
    wanted = [name]
    while wanted:
        name = wanted.pop()
        if name not in found and name not in types.fielddefs:
            package, _, leaf = name.split("/")
            text = _definition_file(package, leaf).read_text(encoding="utf-8")
            found.update(get_types_from_msg(text, name))
            wanted += [part for _, field in found[name][1] for part in _named_types(field)]
    types.register(found)


def header(stamp_ns: int, frame_id: str) -> Any:
    """A std_msgs/Header, with any stamp that `message_fields.stamp_to_ns` gives."""
    types = message_types().types
    seconds = min(stamp_ns // 1_000_000_000, _LARGEST_SECONDS)
    rest = stamp_ns - seconds * 1_000_000_000
    return types["std_msgs/msg/Header"](types["builtin_interfaces/msg/Time"](seconds, rest), frame_id)


def image_message(image: npt.NDArray[Any], encoding: str, stamp_ns: int, frame_id: str) -> Any:
    """A sensor_msgs/Image; array and encoding as in `images.encode_image`."""
    fields = encode_image(image, encoding)
    return message_types().types[IMAGE](header=header(stamp_ns, frame_id), **fields)


def tracks_message(objects: Iterable[TrackedObject], stamp_ns: int, frame_id: str) -> Any:
    """A fastsam2_ros/TrackedObjectArray with the source's stamp and frame_id."""
    return message_types().types[TRACKS](header(stamp_ns, frame_id), [_object_message(item) for item in objects])


def _object_message(item: TrackedObject) -> Any:
    types = message_types().types
    box = types["sensor_msgs/msg/RegionOfInterest"](**region_of_interest(item.box))
    return types["fastsam2_ros/msg/TrackedObject"](
        box=box,
        position=types["geometry_msgs/msg/Point"](0.0, 0.0, 0.0),
        extent=types["geometry_msgs/msg/Vector3"](0.0, 0.0, 0.0),
        **tracked_object(item),
    )


def _definition_file(package: str, name: str) -> Path:
    places = list(_share_folders(package))
    for place in places:
        if (file := place / "msg" / f"{name}.msg").is_file():
            return file
    raise BagError(
        f"The message {package}/{name} is not known: no msg/{name}.msg in {', '.join(map(str, places))}. "
        "Install its package and source its workspace."
    )


def _share_folders(package: str) -> Iterator[Path]:
    if package == "fastsam2_ros":
        yield Path(__file__).parents[2]
    prefixes = os.environ.get("AMENT_PREFIX_PATH", "").split(os.pathsep)
    for prefix in [*filter(None, prefixes), sys.prefix]:
        yield Path(prefix) / "share" / package


def _named_types(field: Any) -> list[str]:
    """The message types in a field description of rosbags: (kind, name), (kind, (base, size)), (kind, (item, size))."""
    _, content = field
    if isinstance(content, str):
        return [content]
    return _named_types(content[0]) if isinstance(content[0], tuple) else []
