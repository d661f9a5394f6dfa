"""Clips of the world as a DAVIS folder, and as a bag."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from fastsam2_ros.bags.messages import IMAGE, header, image_message, message_types
from fastsam2_ros.bags.write import BagWriter
from fastsam2_ros.depth import Camera
from fastsam2_ros.errors import InputError
from fastsam2_ros.lab.synthetic.depth import camera_of
from fastsam2_ros.lab.synthetic.world import WorldSequence
from fastsam2_ros.message_fields import region_of_interest
from fastsam2_ros.pictures.overlay import color_of

IMAGE_TOPIC = "/camera/image_raw"
CAMERA_INFO_TOPIC = "/camera/camera_info"
DEPTH_TOPIC = "/camera/depth"
LABELS_TOPIC = "/truth/labels"
DESCRIPTION_TOPIC = "/truth/description"
STRING = "std_msgs/msg/String"
CAMERA_INFO = "sensor_msgs/msg/CameraInfo"

_JPEG_QUALITY = 95
_FRAME_ID = "camera"


def write_davis(sequences: Iterable[WorldSequence], folder: str | Path) -> list[str]:
    """Write clips in the layout of DAVIS 2017, with what is known beyond its masks in one more file.

    JPEGImages/480p/NAME/00000.jpg, Annotations/480p/NAME/00000.png (palette, pixel values are ids),
    ImageSets/2017/val.txt, and descriptions.json: for each name target, description, absent, level, seed, objects (id,
    description, colour, pattern, shape, size), visible (T x n) and motion (T).

    Args:
        sequences: taken one by one, so that a generator needs memory for one only.
        folder: made where it is missing; must not hold such a data set yet.

    Returns:
        the names, such as "level3_1000042".

    Raises:
        InputError: the folder holds a data set already.
    """
    folder = Path(folder)
    if (folder / "descriptions.json").exists():
        raise InputError(f"{folder} holds a data set already; name another folder, or remove it first.")
    told = {}
    for clip in sequences:
        name = f"level{clip.level}_{clip.seed:07d}"
        _write_frames(clip, folder / "JPEGImages" / "480p" / name, folder / "Annotations" / "480p" / name)
        told[name] = {
            # The first three are what `evaluation.texts` reads of any data set's.
            "objects": {str(item.id): item.description for item in clip.objects},
            "absent": list(clip.absent),
            "group": f"level {clip.level}",
            "target": clip.target,
            "description": clip.description,
            "seed": clip.seed,
            "looks": [
                {key: getattr(item, key) for key in ("id", "colour", "pattern", "shape", "size")}
                for item in clip.objects
            ],
            "visible": clip.visible.round(4).astype(float).tolist(),
            "motion": clip.motion.round(6).astype(float).tolist(),
        }
    listing = folder / "ImageSets" / "2017" / "val.txt"
    listing.parent.mkdir(parents=True, exist_ok=True)
    listing.write_text("".join(f"{name}\n" for name in told))
    (folder / "descriptions.json").write_text(json.dumps(told, indent=1))
    return list(told)


def write_bag(clip: WorldSequence, path: str | Path, storage: str = "mcap") -> None:
    """Write a clip as a bag: images, their ids as 16UC1 with the same stamps, and once the description.

    Where the clip has depth, it is written as 32FC1, with camera_info, under the same stamps too.

    Args:
        clip: what is written.
        path: folder to make; must not exist.
        storage: mcap or sqlite3.

    Raises:
        BagError: the folder exists or cannot be made.
    """
    with BagWriter(path, storage) as bag:
        bag.add_topic(IMAGE_TOPIC, IMAGE)
        bag.add_topic(LABELS_TOPIC, IMAGE)
        bag.add_topic(DESCRIPTION_TOPIC, STRING)
        if clip.depth is not None:
            bag.add_topic(CAMERA_INFO_TOPIC, CAMERA_INFO)
            bag.add_topic(DEPTH_TOPIC, IMAGE)
        # ROS takes a stamp of 0 for "not set".
        stamps = clip.stamps_ns + 1_000_000_000
        bag.write(DESCRIPTION_TOPIC, int(stamps[0]), message_types().types[STRING](clip.description))
        for t, (stamp, frame, ids) in enumerate(zip(stamps.tolist(), clip.frames, clip.ids, strict=True)):
            bag.write(IMAGE_TOPIC, stamp, image_message(frame, "bgr8", stamp, _FRAME_ID))
            bag.write(LABELS_TOPIC, stamp, image_message(ids.astype(np.uint16), "16UC1", stamp, _FRAME_ID))
            if clip.depth is not None:
                camera = camera_of(frame.shape[:2])
                bag.write(CAMERA_INFO_TOPIC, stamp, _camera_info(camera, stamp, _FRAME_ID))
                bag.write(DEPTH_TOPIC, stamp, image_message(clip.depth[t], "32FC1", stamp, _FRAME_ID))


def _write_frames(clip: WorldSequence, images: Path, annotations: Path) -> None:
    palette = [0, 0, 0] + [value for number in range(1, 256) for value in color_of(number)]
    images.mkdir(parents=True, exist_ok=True)
    annotations.mkdir(parents=True, exist_ok=True)
    for number, (frame, ids) in enumerate(zip(clip.frames, clip.ids, strict=True)):
        Image.fromarray(frame).save(images / f"{number:05d}.jpg", quality=_JPEG_QUALITY)
        picture = Image.fromarray(ids, mode="P")
        picture.putpalette(palette)
        picture.save(annotations / f"{number:05d}.png")


def _camera_info(camera: Camera, stamp_ns: int, frame_id: str) -> Any:
    """A sensor_msgs/CameraInfo of a camera without distortion."""
    types = message_types().types
    fx, fy, cx, cy = camera.fx, camera.fy, camera.cx, camera.cy
    return types[CAMERA_INFO](
        header=header(stamp_ns, frame_id),
        height=camera.height,
        width=camera.width,
        distortion_model="plumb_bob",
        d=np.zeros(5),
        k=np.array([fx, 0, cx, 0, fy, cy, 0, 0, 1]),
        r=np.eye(3).ravel(),
        p=np.array([fx, 0, cx, 0, 0, fy, cy, 0, 0, 0, 1, 0]),
        binning_x=0,
        binning_y=0,
        roi=types["sensor_msgs/msg/RegionOfInterest"](**region_of_interest(None)),
    )
