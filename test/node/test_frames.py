import array
import sys
from types import ModuleType

import cv2
import numpy as np
import pytest
from sensor_msgs.msg import CompressedImage, Image

from fastsam2_ros.errors import InputError
from fastsam2_ros.images import ImageDecoder
from fastsam2_ros.node import frames


def image(pixels, encoding):
    return Image(
        height=pixels.shape[0],
        width=pixels.shape[1],
        encoding=encoding,
        step=pixels[0].nbytes,
        data=array.array("B", pixels.tobytes()),
    )


def decoded(message):
    return frames.decode(message, ImageDecoder())


@pytest.fixture
def pixels():
    return np.random.default_rng(0).integers(0, 256, (6, 8, 3), np.uint8)


@pytest.fixture(autouse=True)
def forget_converter():
    frames.converter.cache_clear()
    yield
    frames.converter.cache_clear()


def test_rgb_is_a_view_of_the_message(pixels):
    message = image(pixels, "rgb8")
    frame = decoded(message)
    message.data[0] ^= 255
    assert frame[0, 0, 0] == pixels[0, 0, 0] ^ 255


def test_bgr_comes_out_as_rgb(pixels):
    assert np.array_equal(decoded(image(pixels, "bgr8")), pixels[..., ::-1])


def test_a_compressed_image_comes_out_as_rgb(pixels):
    data = cv2.imencode(".png", pixels[..., ::-1])[1]
    message = CompressedImage(format="png", data=array.array("B", data.tobytes()))
    assert np.array_equal(decoded(message), pixels)


def test_an_unknown_encoding_is_refused_without_cv_bridge(pixels, monkeypatch):
    monkeypatch.setitem(sys.modules, "cv_bridge", None)
    with pytest.raises(InputError, match="yuv444"):
        decoded(image(pixels[..., 0].copy(), "yuv444"))


def test_an_unknown_encoding_goes_through_cv_bridge(pixels, monkeypatch):
    class CvBridge:
        def imgmsg_to_cv2(self, message, desired_encoding):
            assert (message.encoding, desired_encoding) == ("yuv444", "rgb8")
            return pixels

    module = ModuleType("cv_bridge")
    module.CvBridge = CvBridge
    monkeypatch.setitem(sys.modules, "cv_bridge", module)
    assert np.array_equal(decoded(image(pixels[..., 0].copy(), "yuv444")), pixels)


@pytest.mark.parametrize("encoding", ["bayer_rggb8", "8UC1", "yuyv", "mono16"])
def test_what_opencv_decodes_needs_no_cv_bridge(encoding, monkeypatch):
    monkeypatch.setitem(sys.modules, "cv_bridge", None)
    pixels = np.full((6, 8), 9, np.uint16 if encoding in ("yuyv", "mono16") else np.uint8)
    assert decoded(image(pixels, encoding)).shape == (6, 8, 3)
