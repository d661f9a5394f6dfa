"""Camera images as arrays: the fields of sensor_msgs/Image and CompressedImage, without ROS."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from fastsam2_ros.errors import InputError

RgbImage = npt.NDArray[np.uint8]
"""uint8 (H, W, 3), RGB."""

_CHANNELS: Mapping[str, int] = {"rgb8": 3, "bgr8": 3, "rgba8": 4, "bgra8": 4, "mono8": 1}

ENCODINGS = tuple(_CHANNELS)
"""The image encodings that `decode_image` reads by itself."""


def decode_image(
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

    rgb8 and rgba8 are views of `data` (read-only where the data is), rows padded or not; the others are converted in
    one pass.

    Args:
        encoding: one of `ENCODINGS`; anything else is left to `fallback`.
        height, width: pixels.
        step: bytes from one row to the next.
        data: a buffer of at least step * height bytes: bytes, array.array or uint8 array.
        is_bigendian: as in the message; 8-bit encodings are the same either way.
        fallback: makes the RGB image of an encoding that is not in `ENCODINGS`, such as cv_bridge's imgmsg_to_cv2.

    Raises:
        InputError: zero size, a step too small for the row, too little data, or an encoding that nothing here reads.
    """
    if height <= 0 or width <= 0:
        raise InputError(f"The image is {width} x {height} pixels: it is empty. Is the camera running?")
    buffer = np.frombuffer(data, np.uint8)
    channels = _CHANNELS.get(encoding)
    if step < width * (channels or 1):
        raise InputError(
            f"The image's step is {step} bytes, but a row of {width} pixels in {encoding or 'no encoding'} has "
            f"{width * (channels or 1)}. The publisher must set step to the bytes of one row."
        )
    if buffer.size < step * height:
        raise InputError(
            f"The image is truncated: {buffer.size} bytes of data where step x height = {step} x {height} "
            f"= {step * height} are needed."
        )
    if channels is None:
        return _decode_other(encoding, height, width, fallback)
    rows = buffer[: step * height].reshape(height, step)[:, : width * channels]
    if encoding == "mono8":
        return _convert(rows, cv2.COLOR_GRAY2RGB)
    pixels = rows.reshape(height, width, channels)
    if encoding == "bgr8":
        return _convert(pixels, cv2.COLOR_BGR2RGB)
    if encoding == "bgra8":
        return _convert(pixels, cv2.COLOR_BGRA2RGB)
    return pixels[..., :3]


def decode_compressed(format: str, data: Any) -> RgbImage:
    """The RGB image of a sensor_msgs/CompressedImage (JPEG, PNG and what else OpenCV reads).

    Args:
        format: as in the message, such as "jpeg" or "rgb8; jpeg compressed bgr8"; only for the error's text, the data
            tells its format itself.
        data: a buffer with the whole file: bytes, array.array or uint8 array.

    Raises:
        InputError: no data, data that is damaged or no picture, or a depth image.
    """
    if "compressedDepth" in format:
        raise InputError(f"The compressed image is depth ({format!r}); a colour image is needed.")
    buffer = np.frombuffer(data, np.uint8)
    try:
        image = cv2.imdecode(buffer, cv2.IMREAD_COLOR) if buffer.size else None
    except cv2.error:
        image = None
    if image is None:
        raise InputError(
            f"The compressed image (format {format!r}, {buffer.size} bytes) cannot be decoded: "
            "it is truncated, or neither JPEG nor PNG."
        )
    return _convert(np.asarray(image, np.uint8), cv2.COLOR_BGR2RGB)


def encode_image(image: npt.NDArray[Any], encoding: str) -> dict[str, Any]:
    """The fields of a sensor_msgs/Image, without its header.

    Args:
        image: uint8 (H, W, 3) RGB for rgb8 and bgr8; uint8 (H, W) for mono8; uint16 (H, W) for 16UC1.
        encoding: rgb8, bgr8, mono8 or 16UC1.

    Returns:
        height, width, encoding, is_bigendian, step and data (flat uint8 array, a view where possible).

    Raises:
        InputError: another encoding, or an array that does not suit it.
    """
    kinds = {"rgb8": (np.uint8, 3), "bgr8": (np.uint8, 3), "mono8": (np.uint8, 2), "16UC1": (np.uint16, 2)}
    if encoding not in kinds:
        raise InputError(f"Images are not written in encoding {encoding!r}; there are {', '.join(kinds)}.")
    dtype, dimensions = kinds[encoding]
    if image.dtype != dtype or image.ndim != dimensions or (dimensions == 3 and image.shape[2] != 3):
        raise InputError(f"{encoding} cannot hold an array of {image.dtype} {image.shape}.")
    if encoding == "bgr8":
        image = cv2.cvtColor(image, cv2.COLOR_RGB2BGR)
    if encoding == "16UC1":
        image = image.astype("<u2", copy=False)
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


def _decode_other(encoding: str, height: int, width: int, fallback: Callable[[], RgbImage] | None) -> RgbImage:
    supported = f"Encodings that are read: {', '.join(ENCODINGS)}"
    if fallback is None:
        raise InputError(f"The image's encoding is {encoding!r}. {supported}; others where cv_bridge is installed.")
    try:
        image = np.asarray(fallback())
    except Exception as error:  # Whatever the converter raises, it is this image that cannot be used.
        raise InputError(f"The image's encoding {encoding!r} cannot be converted: {error}. {supported}.") from error
    if image.dtype != np.uint8 or image.shape != (height, width, 3):
        raise InputError(f"The image's encoding {encoding!r} was converted to {image.dtype} {image.shape}, not to RGB.")
    return image


def _convert(pixels: npt.NDArray[np.uint8], code: int) -> RgbImage:
    return np.asarray(cv2.cvtColor(pixels, code), np.uint8)
