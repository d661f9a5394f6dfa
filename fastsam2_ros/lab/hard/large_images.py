"""Raw images of 4K and more, best effort, as a camera and the launch file would have them."""

from __future__ import annotations

import os
import re
import signal
from collections.abc import Mapping
from functools import partial
from pathlib import Path

import numpy as np

from fastsam2_ros.bags.messages import IMAGE, image_message
from fastsam2_ros.bags.write import BagWriter
from fastsam2_ros.lab.hard.case import Case, Group, expect
from fastsam2_ros.lab.hard.recordings import IMAGE_TOPIC
from fastsam2_ros.lab.hard.workplace import Workplace
from fastsam2_ros.lab.own_graph import with_profile

_COUNT, _PERIOD_NS = 12, 500_000_000
_ARRIVE = 0.9
"""Least share that arrives: best effort may lose one on a busy machine."""
_SETTINGS = ("model.checkpoint:=untrained", "language.name:=none")


def _bag(path: Path, size: tuple[int, int]) -> Path:
    """Twelve images of (H, W), at 2 Hz."""
    with BagWriter(path) as bag:
        bag.add_topic(IMAGE_TOPIC, IMAGE)
        for number in range(_COUNT):
            stamp = 1_000_000_000 + number * _PERIOD_NS
            grey = np.full((*size, 3), 10 * number, np.uint8)
            bag.write(IMAGE_TOPIC, stamp, image_message(grey, "rgb8", stamp, "camera"))
    return path


def camera_profile(folder: Path, image_bytes: int) -> Mapping[str, str]:
    """What gives the camera config/fastdds.xml, with a segment of two images where its own is smaller."""
    ((variable, path),) = with_profile("fastdds.xml", os.environ).items()
    text = Path(path).read_text(encoding="utf-8")
    size = max(2 * image_bytes, int(re.search(r"<segment_size>(\d+)<", text)[1]))  # type: ignore[index]
    changed = folder / "camera.xml"
    changed.write_text(re.sub(r"(<segment_size>)\d+<", rf"\g<1>{size}<", text), encoding="utf-8")
    return {variable: str(changed)}


def _arrive(place: Workplace, size: tuple[int, int]) -> str:
    source = _bag(place.new("large"), size)
    with place.peer() as peer:
        node = place.start_node(*_SETTINGS, **with_profile("fastdds_node.xml", os.environ))
        peer.wait_until_active()
        words = ("--topics", IMAGE_TOPIC, "--wait", "60", "--subscribers", "1")
        profile = camera_profile(place.folder, 3 * size[0] * size[1])
        camera = place.start("replay", source, *words, **profile)
        place.outcome(camera).expect(0, f"sent {_COUNT} messages")
        told = place.end(node, signal.SIGTERM).expect(0).text
    received = int(re.search(r"Images received: (\d+)", told)[1])  # type: ignore[index]
    expect(received >= _ARRIVE * _COUNT, f"{received} of {_COUNT} arrived")
    return f"{received} of {_COUNT}"


_RIGHT = "nine tenths arrive, best effort, at 2 Hz"
GROUP = Group(
    "large images",
    Workplace.open,
    (
        Case("1080p", _RIGHT, partial(_arrive, size=(1080, 1920))),
        Case("4K", _RIGHT, partial(_arrive, size=(2160, 3840))),
        Case("12 megapixels", _RIGHT, partial(_arrive, size=(3000, 4000))),
    ),
)
