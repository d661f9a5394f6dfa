"""Depth images and the camera that took them: the fields of sensor_msgs/Image and CameraInfo, without ROS."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass
from math import isfinite
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from fastsam2_ros.errors import InputError
from fastsam2_ros.images import check_file, image_rows, undecodable

_UNITS = {"32FC1": ("f4", 1.0), "16UC1": ("u2", 0.001), "mono16": ("u2", 0.001)}
"""By encoding: type of a value, and metres of its unit (REP 118; mono16 is how some drivers name millimetres)."""
_COMPRESSED_HEAD = struct.Struct("<iff")
"""What compressed_depth_image_transport writes before the PNG: a number, and how 32FC1 was quantised."""
_SAME_SHAPE = 0.02
"""Two images of one view may differ by so much in width : height, since sizes are whole pixels."""


@dataclass(frozen=True)
class DepthImage:
    """Distances along the optical axis.

    Attributes:
        values: float32 or uint16 (H, W); zero, negative, NaN or infinite where nothing was measured.
        unit: of the values, m.
    """

    values: npt.NDArray[Any]
    unit: float = 1.0

    @classmethod
    def of_fields(
        cls, encoding: str, height: int, width: int, step: int, data: Any, *, is_bigendian: int = 0
    ) -> DepthImage:
        """That of a sensor_msgs/Image; a view of its data where the rows are not padded.

        Raises:
            InputError: another encoding than 32FC1 (m) or 16UC1 (mm), an empty image, or too little data.
        """
        kind, unit = _unit(encoding)
        if height <= 0 or width <= 0:
            raise InputError(f"The depth image is {width} x {height} pixels: it is empty.")
        size = np.dtype(kind).itemsize
        rows = image_rows(encoding, width, width * size, height, step, data)
        return cls(np.ascontiguousarray(rows).view(f"{'>' if is_bigendian else '<'}{kind}"), unit)

    @classmethod
    def of_file(cls, format: str, data: Any, max_megapixels: float) -> DepthImage:
        """That of a sensor_msgs/CompressedImage of image_transport's compressedDepth: 12 bytes, and a PNG of 16 bits.

        Millimetres stand there as they are; metres as v = a / metres + b, with a and b among the 12 bytes.

        Args:
            format: as in the message, such as "32FC1; compressedDepth png".
            data: a buffer: bytes, array.array or uint8 array.
            max_megapixels: larger images are refused by the file's head.

        Raises:
            InputError: another encoding, another compression than PNG, too large an image, or data that are damaged.
        """
        encoding, _, compression = (part.strip() for part in format.partition(";"))
        _, unit = _unit(encoding)
        if compression not in ("compressedDepth png", "compressedDepth", ""):  # Older ones name nothing, and mean PNG.
            raise InputError(
                f"The depth image's format is {format!r}; of compressedDepth, PNG is read: set its publisher's parameter "
                "compressedDepth.format to png."
            )
        buffer = np.frombuffer(data, np.uint8)
        head, file = buffer[: _COMPRESSED_HEAD.size], buffer[_COMPRESSED_HEAD.size :]
        check_file(format, file, max_megapixels)
        try:
            values = cv2.imdecode(file, cv2.IMREAD_UNCHANGED)
        except cv2.error:
            values = None
        if values is None or values.dtype != np.uint16 or values.ndim != 2:
            raise undecodable(format, buffer)
        if encoding == "32FC1":
            _, a, b = _COMPRESSED_HEAD.unpack(head.tobytes())
            with np.errstate(all="ignore"):
                values = np.where(values == 0, np.float32(np.nan), np.float32(a) / (values - np.float32(b)))
        return cls(values, unit)

    @property
    def size(self) -> tuple[int, int]:
        """(H, W), pixels."""
        height, width = self.values.shape
        return height, width

    def metres(self, rows: slice, columns: slice) -> npt.NDArray[np.float32]:
        """The part of these rows and columns, m: float32, NaN where nothing was measured."""
        part = self.values[rows, columns].astype(np.float32) * np.float32(self.unit)
        part[~((part > 0) & (part < np.inf))] = np.nan
        return part


@dataclass(frozen=True)
class Camera:
    """A pinhole camera: the pixel (column, row) sees along ((column - cx) / fx, (row - cy) / fy, 1).

    Attributes:
        fx, fy: focal lengths, pixels.
        cx, cy: principal point, pixels.
        width, height: of the image that they belong to, pixels.
    """

    fx: float
    fy: float
    cx: float
    cy: float
    width: int
    height: int

    @classmethod
    def of_fields(
        cls,
        width: int,
        height: int,
        k: Sequence[float],
        p: Sequence[float],
        *,
        binning: tuple[int, int] = (0, 0),
        region: tuple[int, int, int, int] = (0, 0, 0, 0),
    ) -> Camera:
        """That of a sensor_msgs/CameraInfo, for images as the camera sends them: cut out first, then binned.

        Args:
            width, height: of the whole image, pixels.
            k: 9 values, intrinsics of the raw image, row by row.
            p: 12 values, projection of the rectified image, row by row; where it is set, it is what counts.
            binning: x, y; 0 is as 1.
            region: x, y, width, height of what is cut out, pixels of the whole image; zeros: all.

        Raises:
            InputError: nothing is set, as by a camera that was not calibrated, or the binning leaves no pixel.
        """
        matrix = (p[0], p[5], p[2], p[6]) if p[0] else (k[0], k[4], k[2], k[5])
        fx, fy, cx, cy = map(float, matrix)
        x, y, wide, high = region if region[2] and region[3] else (0, 0, width, height)
        if not (fx > 0 and fy > 0 and wide > 0 and high > 0 and all(map(isfinite, (fx, fy, cx, cy)))):
            raise InputError(
                f"The camera_info holds no focal length or no size ({fx:g}, {fy:g}, {width} x {height} pixels): calibrate "
                "the camera, or give its driver the calibration."
            )
        columns, rows = wide // max(binning[0], 1), high // max(binning[1], 1)
        if not (columns > 0 and rows > 0):
            raise InputError(
                f"The camera_info has a binning of {binning[0]} x {binning[1]} for {wide} x {high} pixels, which leaves none: "
                "have the camera's driver send the binning that it has."
            )
        return cls(fx, fy, cx - x, cy - y, wide, high).scaled(columns, rows)

    def scaled(self, width: int, height: int) -> Camera:
        """The camera whose images of the same view have this size."""
        if (width, height) == (self.width, self.height):
            return self
        x, y = width / self.width, height / self.height
        # A whole number is the middle of a pixel.
        cx, cy = (self.cx + 0.5) * x - 0.5, (self.cy + 0.5) * y - 0.5
        return Camera(self.fx * x, self.fy * y, cx, cy, width, height)


def _unit(encoding: str) -> tuple[str, float]:
    """Type of a value, and metres of its unit."""
    if encoding not in _UNITS:
        raise InputError(
            f"The depth image's encoding is {encoding!r}; depth is 32FC1 in metres or 16UC1 in millimetres (REP 118). "
            "Is another topic remapped to depth?"
        )
    return _UNITS[encoding]


def same_view(first: tuple[int, int], second: tuple[int, int]) -> bool:
    """Whether images of these sizes, (H, W), can be of one view at two resolutions."""
    (height, width), (other_height, other_width) = first, second
    return abs(width * other_height / (height * other_width) - 1) <= _SAME_SHAPE
