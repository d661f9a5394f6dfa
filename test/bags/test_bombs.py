"""Little that unpacks to much is refused, by name."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
import zstandard

from fastsam2_ros.bags import read
from fastsam2_ros.bags.frames import open_frames
from fastsam2_ros.bags.write import BagWriter
from fastsam2_ros.errors import BagError

from .test_disk import largest_file

STRING = "std_msgs/msg/String"


def test_a_message_that_unpacks_to_too_much_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(read, "LARGEST_MESSAGE", 1 << 20)
    with BagWriter(tmp_path / "bag") as bag:
        bag.add_topic("/chatter", STRING)
        for number, size in enumerate((1 << 20, (1 << 20) + 1)):
            bag.write_bytes("/chatter", number, zstandard.compress(bytes(size)))
    with read.Bag(tmp_path / "bag") as bag:
        messages = bag.messages()
        assert next(messages).data == bytes(1 << 20)
        with pytest.raises(BagError, match="more than 1 MB"):
            next(messages)


def test_a_file_that_unpacks_to_more_than_the_disk_takes_names_the_disk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    (tmp_path / "bag.mcap.zstd").write_bytes(zstandard.compress(bytes(1 << 20)))
    with largest_file(100_000), pytest.raises(BagError, match=r"bag\.mcap cannot be written: .* size of a file"):
        open_frames(tmp_path / "bag.mcap.zstd")


def test_frames_of_a_video_that_become_too_large_are_not_decoded(
    tmp_path: Path, picture: Callable[..., np.ndarray]
) -> None:
    small, large = picture(1), np.zeros((1000, 1001, 3), np.uint8)
    files = [cv2.imencode(".jpg", each)[1].tobytes() for each in (small, small, large, small)]
    (tmp_path / "video.mjpeg").write_bytes(b"".join(files))
    frames, shapes = open_frames(tmp_path / "video.mjpeg", max_megapixels=1.0), []
    with pytest.raises(BagError, match=r"video\.mjpeg is truncated or damaged: 3 frames"):
        shapes.extend(frame.rgb.shape for frame in frames)
    assert shapes == [small.shape] * 3
