"""The encodings of sensor_msgs/Image that become RGB, as a table of what OpenCV calls them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt


@dataclass(frozen=True)
class Encoding:
    """How the pixels of an encoding lie in memory, and what makes RGB of them.

    Attributes:
        channels: values of one pixel in a row; of the first plane where there are two.
        conversion: OpenCV's code; None: they are RGB already, perhaps with alpha.
        size: bytes of a value: 1 or 2.
        has_two_planes: brightness, then colour at half the resolution (NV12, NV21).
        grid: width and height must be multiples of these.
    """

    channels: int
    conversion: int | None
    size: int = 1
    has_two_planes: bool = False
    grid: tuple[int, int] = (1, 1)

    @property
    def is_mosaic(self) -> bool:
        """Whether it is a Bayer pattern."""
        return self.conversion in _BAYER.values()

    def to_rgb(self, values: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
        """RGB, uint8 (H, W, 3), of uint8 (rows, W * channels): H rows, or H * 3 / 2 where there are two planes."""
        if self.conversion is not None and self.has_two_planes:
            height = len(values) * 2 // 3
            luma, chroma = np.ascontiguousarray(values[:height]), np.ascontiguousarray(values[height:])
            chroma = chroma.reshape(height // 2, -1, 2)
            return np.asarray(cv2.cvtColorTwoPlane(luma, chroma, self.conversion), np.uint8)
        pixels = values if self.channels == 1 else values.reshape(len(values), -1, self.channels)
        if self.conversion is None:
            return pixels[..., :3]
        return np.asarray(cv2.cvtColor(pixels, self.conversion), np.uint8)


# OpenCV names a pattern by its second row's second and third pixel: its "BG" is what everybody else calls RGGB.
_BAYER = {
    "rggb": cv2.COLOR_BayerBG2RGB,
    "bggr": cv2.COLOR_BayerRG2RGB,
    "gbrg": cv2.COLOR_BayerGR2RGB,
    "grbg": cv2.COLOR_BayerGB2RGB,
}
_UYVY = Encoding(2, cv2.COLOR_YUV2RGB_UYVY, grid=(2, 1))
_YUYV = Encoding(2, cv2.COLOR_YUV2RGB_YUY2, grid=(2, 1))

ENCODINGS: Mapping[str, Encoding] = {
    "rgb8": Encoding(3, None),
    "bgr8": Encoding(3, cv2.COLOR_BGR2RGB),
    "rgba8": Encoding(4, None),
    "bgra8": Encoding(4, cv2.COLOR_BGRA2RGB),
    "mono8": Encoding(1, cv2.COLOR_GRAY2RGB),
    "rgb16": Encoding(3, None, 2),
    "bgr16": Encoding(3, cv2.COLOR_BGR2RGB, 2),
    "rgba16": Encoding(4, None, 2),
    "bgra16": Encoding(4, cv2.COLOR_BGRA2RGB, 2),
    "mono16": Encoding(1, cv2.COLOR_GRAY2RGB, 2),
    # These say nothing of colours; OpenCV's own order is BGR, and its users publish it so.
    "8UC1": Encoding(1, cv2.COLOR_GRAY2RGB),
    "8UC3": Encoding(3, cv2.COLOR_BGR2RGB),
    "8UC4": Encoding(4, cv2.COLOR_BGRA2RGB),
    "16UC1": Encoding(1, cv2.COLOR_GRAY2RGB, 2),
    "16UC3": Encoding(3, cv2.COLOR_BGR2RGB, 2),
    "16UC4": Encoding(4, cv2.COLOR_BGRA2RGB, 2),
    **{f"bayer_{name}8": Encoding(1, code, grid=(2, 2)) for name, code in _BAYER.items()},
    **{f"bayer_{name}16": Encoding(1, code, 2, grid=(2, 2)) for name, code in _BAYER.items()},
    "yuv422": _UYVY,
    "uyvy": _UYVY,
    "yuv422_yuy2": _YUYV,
    "yuyv": _YUYV,
    "nv12": Encoding(1, cv2.COLOR_YUV2RGB_NV12, has_two_planes=True, grid=(2, 2)),
    "nv21": Encoding(1, cv2.COLOR_YUV2RGB_NV21, has_two_planes=True, grid=(2, 2)),
}
"""By the names of sensor_msgs/image_encodings. Of 8UC3 and its like, the channels are taken as OpenCV's: BGR."""


def bits_of(values: npt.NDArray[Any], at_least: int = 8) -> int:
    """The usual depth (8, 10, 12, 14 or 16 bits) that holds the largest of these values.

    Args:
        values: uint16, any shape.
        at_least: the answer is not below it.
    """
    largest = int(values.max(initial=0))
    return next(bits for bits in (8, 10, 12, 14, 16) if bits >= at_least and largest < 1 << bits)
