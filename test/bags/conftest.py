from collections.abc import Callable
from pathlib import Path

import av
import numpy as np
import pytest

from fastsam2_ros.bags.messages import IMAGE, image_message
from fastsam2_ros.bags.write import BagWriter

SIZE = (24, 32)


def grey(number: int, size: tuple[int, int] = SIZE) -> np.ndarray:
    """A frame whose grey value tells its number."""
    return np.full((*size, 3), (10 + 20 * number) % 256, np.uint8)


@pytest.fixture
def picture() -> Callable[..., np.ndarray]:
    return grey


@pytest.fixture
def make_bag(tmp_path: Path) -> Callable[..., Path]:
    """Makes a bag of `count` frames on each topic, 100 ms apart from 1 s on."""

    def make(topics=("/camera/image",), count: int = 5, storage: str = "mcap", encoding: str = "bgr8") -> Path:
        path = tmp_path / f"bag_{storage}"
        with BagWriter(path, storage) as bag:
            for topic in topics:
                bag.add_topic(topic, IMAGE)
            for number in range(count):
                stamp = 1_000_000_000 + number * 100_000_000
                for topic in topics:
                    bag.write(topic, stamp + 7, image_message(grey(number), encoding, stamp, "optical"))
        return path

    return make


@pytest.fixture
def make_video(tmp_path: Path) -> Callable[..., Path]:
    """Makes a video of grey frames at 25 Hz."""

    def make(count: int = 5, name: str = "video.mp4") -> Path:
        path = tmp_path / name
        with av.open(str(path), "w") as container:
            stream = container.add_stream("mpeg4", rate=25)
            stream.height, stream.width = SIZE
            stream.pix_fmt = "yuv420p"
            for number in range(count):
                container.mux(stream.encode(av.VideoFrame.from_ndarray(grey(number), format="rgb24")))
            container.mux(stream.encode())
        return path

    return make
