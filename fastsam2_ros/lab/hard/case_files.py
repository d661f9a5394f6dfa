"""Recordings, videos and folders that once failed: those beside the project, or some of their kinds written here."""

from __future__ import annotations

from pathlib import Path

import av
import cv2
import numpy as np
from mcap.writer import Writer

from fastsam2_ros.bags.messages import IMAGE, header, image_message, message_types
from fastsam2_ros.bags.write import BagWriter

BESIDE = Path(__file__).resolve().parents[4] / "shared" / "cases"
_START = 1_700_000_000_000_000_000
_PERIOD = 100_000_000
_TIMES = [_START + number * _PERIOD for number in range(6)]


def case_files(folder: Path) -> Path:
    """The folder of all of them: `BESIDE` where it is, else this one, which is made.

    What is not written here is `rot90.mp4` and `corrupt_vp9.webm`.
    """
    if BESIDE.is_dir():
        return BESIDE
    folder.mkdir()
    _write_bag(folder / "reset", [*_TIMES[:3], 0, _PERIOD, 2 * _PERIOD])
    _write_bag(folder / "firstzero", [0, *_TIMES[1:]])
    _write_yuyv(folder / "yuyv")
    for name, size, count, pattern in (("nopad", (48, 64), 12, "frame{}"), ("wide1024x128", (128, 1024), 3, "{:05d}")):
        (folder / name).mkdir()
        for number in range(count):
            cv2.imwrite(str(folder / name / f"{pattern.format(number)}.jpg"), _grey(number, size))
    _write_cut_video(folder / "trunc.avi")
    with (folder / "foxglove_protobuf.mcap").open("wb") as file:
        writer = Writer(file)
        writer.start(profile="", library="")
        schema = writer.register_schema("foxglove.CompressedImage", "protobuf", b"")
        channel = writer.register_channel("/image", "protobuf", schema)
        writer.add_message(channel, _START, b"\x0a\x00", _START)
        writer.finish()
    return folder


def _grey(number: int, size: tuple[int, int] = (48, 64)) -> np.ndarray:
    return np.full((*size, 3), 10 + 20 * number, np.uint8)


def _write_bag(path: Path, stamps: list[int]) -> None:
    with BagWriter(path) as bag:
        bag.add_topic("/image", IMAGE)
        for number, (stamp, time_ns) in enumerate(zip(stamps, _TIMES, strict=True)):
            bag.write("/image", time_ns, image_message(_grey(number), "rgb8", stamp, "camera"))


def _write_yuyv(path: Path) -> None:
    colours = np.full((48, 64, 3), (200, 40, 40), np.uint8)
    data = cv2.cvtColor(colours, cv2.COLOR_RGB2YUV_YUY2).reshape(-1)
    with BagWriter(path) as bag:
        bag.add_topic("/image", IMAGE)
        for time_ns in _TIMES:
            image = message_types().types[IMAGE](header(time_ns, "camera"), 48, 64, "yuv422_yuy2", 0, 128, data)
            bag.write("/image", time_ns, image)


def _write_cut_video(path: Path) -> None:
    random = np.random.default_rng(0)
    with av.open(str(path), "w") as container:
        stream = container.add_stream("mjpeg", rate=12)
        stream.height, stream.width, stream.pix_fmt = 48, 64, "yuvj420p"
        for _ in range(24):
            noise = random.integers(0, 256, (48, 64, 3), np.uint8)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(noise, format="rgb24")))
        container.mux(stream.encode())
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
