"""Image messages as frames for the tracker."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache, partial

import numpy as np
from sensor_msgs.msg import CompressedImage, Image

from fastsam2_ros.images import ImageDecoder, RgbImage
from fastsam2_ros.node.transport import ImageMessage


def decode(message: ImageMessage, decoder: ImageDecoder) -> RgbImage:
    """The RGB frame of a message, uint8 (H, W, 3); a view of its data where the encoding allows.

    Args:
        message: of the camera.
        decoder: the same for all messages of this camera.

    Raises:
        InputError: the message holds no image that can be read.
    """
    if isinstance(message, CompressedImage):
        return decoder.decode_compressed(message.format, message.data)
    convert = converter()
    return decoder.decode(
        message.encoding,
        message.height,
        message.width,
        message.step,
        message.data,
        is_bigendian=message.is_bigendian,
        fallback=None if convert is None else partial(convert, message),
    )


@cache
def converter() -> Callable[[Image], RgbImage] | None:
    """What cv_bridge makes of an encoding that is not in `encodings.ENCODINGS`; None where cv_bridge is not installed."""
    try:
        from cv_bridge import CvBridge
    except (ImportError, AttributeError):  # AttributeError: it was built against another major version of NumPy.
        return None
    bridge = CvBridge()
    return lambda message: np.asarray(bridge.imgmsg_to_cv2(message, desired_encoding="rgb8"))
