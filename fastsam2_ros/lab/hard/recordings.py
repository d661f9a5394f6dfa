"""Sources of images for the other cases, and what can be read of what they leave."""

from __future__ import annotations

import json
import time
from pathlib import Path

import cv2
import numpy as np

from fastsam2_ros.bags.messages import IMAGE, image_message, message_types
from fastsam2_ros.bags.read import Bag
from fastsam2_ros.bags.write import BagWriter
from fastsam2_ros.lab.hard.case import expect
from fastsam2_ros.lab.hard.workplace import world

IMAGE_TOPIC, TEXT_TOPIC = "/image", "/text"
RATE = 10
_TEXT = "std_msgs/msg/String"


def write_source(path: Path, count: int = 300, *, noise: bool = False) -> Path:
    """A bag at 10 Hz: images of the generated world, or of noise, and a text with each."""
    frames = world().frames
    random = np.random.default_rng(0)
    with BagWriter(path) as bag:
        bag.add_topic(IMAGE_TOPIC, IMAGE)
        bag.add_topic(TEXT_TOPIC, _TEXT)
        for number in range(count):
            stamp = 1_000_000_000 + number * 1_000_000_000 // RATE
            rgb = random.integers(0, 256, (240, 320, 3), np.uint8) if noise else frames[number % len(frames)]
            bag.write(IMAGE_TOPIC, stamp, image_message(rgb, "rgb8", stamp, "camera"))
            bag.write(TEXT_TOPIC, stamp, message_types().types[_TEXT](f"№ {number}"))
    return path


def readable_messages(path: Path) -> dict[str, list[int]]:
    """Times of a bag's messages by topic, nanoseconds, each of which can be read."""
    found: dict[str, list[int]] = {}
    with Bag(path) as bag:
        for message in bag.messages():
            message_types().deserialize_cdr(bytes(message.data), message.connection.msgtype)
            found.setdefault(message.connection.topic, []).append(message.time_ns)
    return found


def readable_results(out: Path) -> int:
    """How many frames the results of `fastsam2 track` hold: lines, whole masks and messages, as many of each (or one less)."""
    lines = [json.loads(line) for line in (out / "tracks.jsonl").read_text("utf-8").splitlines()]
    masks = [cv2.imread(str(file), cv2.IMREAD_UNCHANGED) for file in sorted((out / "masks").iterdir())]
    expect(all(mask is not None for mask in masks), "a mask cannot be read")
    counts = {topic: len(times) for topic, times in readable_messages(out / "bag").items()}
    expect(abs(len(masks) - len(lines)) <= 1, f"{len(masks)} masks and {len(lines)} lines")
    expect(counts, "the bag is empty")
    return len(lines)


def missing_seconds(times: list[int], killed_ns: int) -> float:
    """From the newest message that is there to the kill."""
    return (killed_ns - times[-1]) / 1e9


def grown_to(path: Path, size: int, seconds: float) -> bool:
    """Whether a file, or the files below a folder, become so large in time, bytes."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        files = [path] if path.is_file() else [each for each in path.rglob("*") if each.is_file()]
        if sum(each.stat().st_size for each in files) >= size:
            return True
        time.sleep(0.05)
    return False
