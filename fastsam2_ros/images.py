"""Camera images as arrays: the fields of sensor_msgs/Image and CompressedImage, without ROS."""

from __future__ import annotations

import io
import logging
import re
import warnings
from collections.abc import Callable
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
from PIL import Image, UnidentifiedImageError

from fastsam2_ros.config import MAX_MEGAPIXELS
from fastsam2_ros.encodings import ENCODINGS, Encoding, bits_of
from fastsam2_ros.errors import InputError

RgbImage = npt.NDArray[np.uint8]
"""uint8 (H, W, 3), RGB."""

_FILE_FORMATS = ("JPEG", "PNG", "WEBP", "TIFF", "BMP", "PPM")
_WITHOUT_COLOURS = re.compile(r"\d+[USF]C\d+")

_log = logging.getLogger(__name__)


class ImageDecoder:
    """Makes RGB of the images of one camera.

    Values of 16 bits often use fewer: 10, 12 or 14. The range is that of the largest value seen so far, so that it grows at
    most four times and the brightness does not flicker; each time it is logged.

    Args:
        max_megapixels: larger images are refused, by their fields or their file's header, before anything is decoded. May be
            set to another value between two images.
    """

    def __init__(self, max_megapixels: float = MAX_MEGAPIXELS) -> None:
        self.max_megapixels = max_megapixels
        self._bits: dict[str, int] = {}

    def decode(
        self,
        encoding: str,
        height: int,
        width: int,
        step: int,
        data: Any,
        *,
        is_bigendian: int = 0,
        fallback: Callable[[], RgbImage] | None = None,
    ) -> RgbImage:
        """The RGB image of a sensor_msgs/Image.

        rgb8 and rgba8 are views of `data` (read-only where the data is), rows padded or not.

        Args:
            encoding: one of `ENCODINGS`; anything else is left to `fallback`.
            height, width: pixels.
            step: bytes from one row to the next.
            data: a buffer of at least step * height bytes (half as much again for nv12 and nv21): bytes, array.array or
                uint8 array.
            is_bigendian: byte order of 16-bit values; 8-bit encodings are the same either way.
            fallback: makes the RGB image of an encoding that is not in `ENCODINGS`, such as cv_bridge's imgmsg_to_cv2.

        Raises:
            InputError: zero or too large a size, a step too small for the row, too little data, or an encoding that
                nothing here reads.
        """
        check_size(height, width, self.max_megapixels)
        layout = ENCODINGS.get(encoding)
        if layout is None:
            return _decode_other(encoding, height, width, fallback)
        values = _values(encoding, layout, height, width, step, data, is_bigendian)
        return layout.to_rgb(self._to_8_bits(values, encoding))

    def decode_compressed(self, format: str, data: Any) -> RgbImage:
        """The RGB image of a sensor_msgs/CompressedImage: JPEG, PNG, WebP, TIFF, BMP or PPM.

        Args:
            format: as in the message, such as "jpeg" or "bayer_rggb8; png compressed"; the data tells its format itself,
                and this only that it is depth or a Bayer pattern.
            data: a buffer with the whole file: bytes, array.array or uint8 array.

        Raises:
            InputError: no data, data that is damaged or no picture, too large a picture, or a depth image.
        """
        if "compressedDepth" in format:
            raise InputError(f"The compressed image is depth ({format!r}); a colour image is needed.")
        buffer = np.frombuffer(data, np.uint8)
        is_grey = check_file(format, buffer, self.max_megapixels)
        name = format.partition(";")[0].strip()
        layout = ENCODINGS.get(name)
        mosaic = layout is not None and layout.is_mosaic and is_grey
        flags = cv2.IMREAD_ANYDEPTH | (cv2.IMREAD_GRAYSCALE if mosaic else cv2.IMREAD_COLOR)
        try:
            pixels = cv2.imdecode(buffer, flags)
        except cv2.error:
            pixels = None
        if pixels is None or pixels.dtype not in (np.uint8, np.uint16):
            raise undecodable(format, buffer)
        values = self._to_8_bits(pixels, name)
        if layout is not None and mosaic:
            return layout.to_rgb(values)
        return np.asarray(cv2.cvtColor(values, cv2.COLOR_BGR2RGB), np.uint8)

    def _to_8_bits(self, values: npt.NDArray[Any], encoding: str) -> npt.NDArray[np.uint8]:
        if values.dtype.itemsize == 1:
            return values
        bits = bits_of(values, self._bits.get(encoding, 8))
        if bits != self._bits.get(encoding):
            self._bits[encoding] = bits
            _log.warning("Images in %s: values are taken as of %d bits, 0 to %d.", encoding, bits, (1 << bits) - 1)
        return (values >> (bits - 8)).astype(np.uint8)


def check_size(height: int, width: int, max_megapixels: float) -> None:
    """Raise `InputError` for an image without pixels, or with more than are decoded."""
    if height <= 0 or width <= 0:
        raise InputError(f"The image is {width} x {height} pixels: it is empty. Is the camera running?")
    if height * width > max_megapixels * 1e6:
        raise InputError(
            f"The image is {width} x {height} pixels, {height * width / 1e6:.0f} megapixels; at most "
            f"{max_megapixels:g} are decoded. If the camera is that large, raise max_megapixels."
        )


def check_file(format: str, buffer: npt.NDArray[np.uint8], max_megapixels: float) -> bool:
    """Whether an image file has no colours, by its head alone.

    Args:
        format: of the sensor_msgs/CompressedImage, for the errors.
        buffer: the whole file.
        max_megapixels: see `ImageDecoder`.

    Raises:
        InputError: no picture, or too large a one.
    """
    width, height, is_grey = _head(format, buffer)
    check_size(height, width, max_megapixels)
    return is_grey


def encode_image(image: npt.NDArray[Any], encoding: str) -> dict[str, Any]:
    """The fields of a sensor_msgs/Image, without its header.

    Args:
        image: uint8 (H, W, 3) RGB for rgb8 and bgr8; uint8 (H, W) for mono8; uint16 (H, W) for 16UC1; float32 (H, W) for 32FC1.
        encoding: rgb8, bgr8, mono8, 16UC1 or 32FC1.

    Returns:
        height, width, encoding, is_bigendian, step and data (flat uint8 array, a view where possible).

    Raises:
        InputError: another encoding, or an array that does not suit it.
    """
    kinds: dict[str, tuple[Any, int]] = {
        "rgb8": (np.uint8, 3),
        "bgr8": (np.uint8, 3),
        "mono8": (np.uint8, 2),
        "16UC1": (np.uint16, 2),
        "32FC1": (np.float32, 2),
    }
    if encoding not in kinds:
        raise InputError(f"Images are not written in encoding {encoding!r}; there are {', '.join(kinds)}.")
    dtype, dimensions = kinds[encoding]
    if image.dtype != dtype or image.ndim != dimensions or (dimensions == 3 and image.shape[2] != 3):
        raise InputError(f"{encoding} cannot hold an array of {image.dtype} {image.shape}.")
    if encoding == "bgr8":
        image = cv2.cvtColor(image, cv2.COLOR_RGB2BGR)
    image = image.astype(image.dtype.newbyteorder("<"), copy=False)
    data = np.ascontiguousarray(image).reshape(-1).view(np.uint8)
    height, width = image.shape[:2]
    return {
        "height": height,
        "width": width,
        "encoding": encoding,
        "is_bigendian": 0,
        "step": data.size // height if height else 0,
        "data": data,
    }


def undecodable(format: str, buffer: npt.NDArray[np.uint8]) -> InputError:
    """The error of a compressed image that holds no picture."""
    return InputError(
        f"The compressed image (format {format!r}, {buffer.size} bytes) cannot be decoded: "
        "it is truncated, or neither JPEG nor PNG."
    )


def image_rows(encoding: str, width: int, row: int, rows: int, step: int, data: Any) -> npt.NDArray[np.uint8]:
    """The bytes of an image without the padding of its rows: uint8 (rows, row), a view of the data.

    Args:
        encoding, width: as in sensor_msgs/Image, for the errors.
        row: bytes of the pixels of one row.
        rows: how many.
        step: bytes from one row to the next.
        data: a buffer of at least step * rows bytes.

    Raises:
        InputError: a step too small for the row, or too little data.
    """
    if step < row:
        raise InputError(
            f"The image's step is {step} bytes, but a row of {width} pixels in {encoding} has {row}. The publisher must set "
            "step to the bytes of one row."
        )
    buffer = np.frombuffer(data, np.uint8)
    if buffer.size < step * rows:
        raise InputError(
            f"The image is truncated: {buffer.size} bytes of data where step x rows = {step} x {rows} = {step * rows} "
            "are needed."
        )
    return buffer[: step * rows].reshape(rows, step)[:, :row]


def _values(
    encoding: str, layout: Encoding, height: int, width: int, step: int, data: Any, is_bigendian: int
) -> npt.NDArray[Any]:
    """uint8 or uint16 (rows, width * channels): a view of the data without the padding of its rows."""
    if width % layout.grid[0] or height % layout.grid[1]:
        raise InputError(
            f"The image is {width} x {height} pixels in {encoding}, whose width and height are multiples of "
            f"{layout.grid[0]} and {layout.grid[1]}. The publisher must crop it, or name its real encoding."
        )
    rows = height * 3 // 2 if layout.has_two_planes else height
    values = image_rows(encoding, width, width * layout.channels * layout.size, rows, step, data)
    return values if layout.size == 1 else np.ascontiguousarray(values).view(">u2" if is_bigendian else "<u2")


def _decode_other(encoding: str, height: int, width: int, fallback: Callable[[], RgbImage] | None) -> RgbImage:
    supported = f"Encodings that are read: {', '.join(ENCODINGS)}"
    if fallback is None and _WITHOUT_COLOURS.fullmatch(encoding):
        raise InputError(
            f"The image's encoding is {encoding!r}: depth or other measurements, not colours. {supported}."
        )
    if fallback is None:
        raise InputError(f"The image's encoding is {encoding!r}, which is not known here. {supported}.")
    try:
        image = np.asarray(fallback())
    except Exception as error:  # Whatever the converter raises, it is this image that cannot be used.
        raise InputError(f"The image's encoding {encoding!r} cannot be converted: {error}. {supported}.") from error
    if image.dtype != np.uint8 or image.shape != (height, width, 3):
        raise InputError(f"The image's encoding {encoding!r} was converted to {image.dtype} {image.shape}, not to RGB.")
    return image


def _head(format: str, buffer: npt.NDArray[np.uint8]) -> tuple[int, int, bool]:
    """Width and height in pixels, and whether it has no colours, from the head of an image file."""
    try:
        with warnings.catch_warnings():
            # Pillow warns of large images, which our own limit judges, and of odd heads, which decoding will judge.
            warnings.simplefilter("ignore")
            with Image.open(io.BytesIO(buffer.tobytes()), formats=_FILE_FORMATS) as image:
                return *image.size, image.mode[0] in "LI"
    except Image.DecompressionBombError as error:
        raise InputError(
            f"The compressed image (format {format!r}) has more than {2 * (Image.MAX_IMAGE_PIXELS or 0) / 1e6:.0f} megapixels, "
            "which are never decoded; max_megapixels can be no higher. Have the camera send smaller ones."
        ) from error
    except (UnidentifiedImageError, OSError, ValueError, SyntaxError) as error:
        raise undecodable(format, buffer) from error
