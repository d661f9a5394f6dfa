"""Every encoding in the table: colours, ranges, byte order; and images that are too large."""

import logging
import zlib

import cv2
import numpy as np
import pytest

from fastsam2_ros.encodings import ENCODINGS
from fastsam2_ros.errors import InputError
from fastsam2_ros.images import ImageDecoder

SIZE = (16, 24)
RED, GREEN, BLUE = 0, 1, 2


def halves() -> np.ndarray:
    """Left half reddish, right half bluish: uint8 (H, W, 3), RGB."""
    rgb = np.zeros((*SIZE, 3), np.uint8)
    rgb[:, :12] = (200, 60, 40)
    rgb[:, 12:] = (30, 90, 210)
    return rgb


def packed_422(rgb: np.ndarray, order: str) -> np.ndarray:
    """Each pair of pixels in this order of its values, such as y0 u y1 v."""
    yuv = cv2.cvtColor(rgb, cv2.COLOR_RGB2YUV_I420)
    height, width = SIZE
    luma = yuv[:height].reshape(height, width)
    planes = yuv[height:].reshape(2, height // 2, width // 2).repeat(2, axis=1)
    values = {"0": luma[:, ::2], "1": luma[:, 1::2], "u": planes[0], "v": planes[1]}
    return np.stack([values[name] for name in order], axis=2).reshape(height, width * 2)


def two_planes(rgb: np.ndarray, swapped: bool) -> np.ndarray:
    yuv = cv2.cvtColor(rgb, cv2.COLOR_RGB2YUV_I420)
    height, width = SIZE
    u, v = yuv[height:].reshape(2, height // 2, width // 2)
    pair = (v, u) if swapped else (u, v)
    return np.concatenate([yuv[:height], np.stack(pair, axis=2).reshape(height // 2, width)])


def mosaic(rgb: np.ndarray, pattern: str) -> np.ndarray:
    """The channel of each pixel that the colours of the pattern name: two in the first row, two in the second."""
    values = np.zeros(SIZE, rgb.dtype)
    for place, colour in enumerate(pattern):
        row, column = divmod(place, 2)
        values[row::2, column::2] = rgb[row::2, column::2, "rgb".index(colour)]
    return values


def encoded(rgb: np.ndarray, encoding: str) -> np.ndarray:
    """(rows, values): uint8, or uint16 with the full range."""
    name, wide = encoding.removesuffix("16"), encoding.endswith("16") or encoding.startswith("16")
    pixels = rgb.astype(np.uint16) * 257 if wide else rgb
    alpha = np.full((*SIZE, 1), 9, pixels.dtype)
    if encoding.startswith("bayer_"):
        return mosaic(pixels, encoding[6:10])
    if encoding in ("nv12", "nv21"):
        return two_planes(rgb, encoding == "nv21")
    if encoding in ("yuyv", "yuv422_yuy2", "uyvy", "yuv422"):
        return packed_422(rgb, "0u1v" if encoding.startswith(("yuyv", "yuv422_")) else "u0v1")
    kinds = {
        "mono": pixels[..., :1], "C1": pixels[..., :1], "rgb": pixels, "bgr": pixels[..., ::-1], "C3": pixels[..., ::-1],
        "rgba": np.concatenate([pixels, alpha], 2), "bgra": np.concatenate([pixels[..., ::-1], alpha], 2),
        "C4": np.concatenate([pixels[..., ::-1], alpha], 2),
    }  # fmt: skip
    return kinds[name[-2:] if "C" in name else name.removesuffix("8")].reshape(SIZE[0], -1)


def fields(values: np.ndarray, padding: int = 0, order: str = "<") -> tuple[int, bytes]:
    """Step and data."""
    rows = values.astype(values.dtype.newbyteorder(order)).view(np.uint8).reshape(len(values), -1)
    rows = np.pad(rows, ((0, 0), (0, padding)), constant_values=255)
    return rows.shape[1], rows.tobytes()


@pytest.mark.parametrize("padding", [0, 6])
@pytest.mark.parametrize("encoding", ENCODINGS)
def test_every_encoding_becomes_rgb(encoding: str, padding: int) -> None:
    rgb = halves()
    step, data = fields(encoded(rgb, encoding), padding)
    image = ImageDecoder().decode(encoding, *SIZE, step, data)
    assert image.dtype == np.uint8
    assert image.shape == rgb.shape
    grey = encoding.endswith("C1") or encoding.startswith("mono")
    expected = rgb[..., :1].repeat(3, axis=2) if grey else rgb
    # Where the two halves meet and at the border, mosaics and halved colours are mixtures.
    inside = np.s_[2:-2, [*range(2, 9), *range(15, 22)]]
    np.testing.assert_allclose(image[inside], expected[inside], atol=6)


@pytest.mark.parametrize("encoding", [name for name, layout in ENCODINGS.items() if layout.size == 2])
def test_the_byte_order_of_16_bits_is_the_messages(encoding: str) -> None:
    values = encoded(halves(), encoding)
    images = [
        ImageDecoder().decode(encoding, *SIZE, *fields(values, order=order), is_bigendian=order == ">")
        for order in "<>"
    ]
    np.testing.assert_array_equal(*images)


@pytest.mark.parametrize("bits", [8, 10, 12, 14, 16])
@pytest.mark.parametrize("encoding", ["mono16", "16UC1", "bgr16", "bayer_grbg16"])
def test_16_bits_that_use_fewer_are_not_dark(encoding: str, bits: int, caplog: pytest.LogCaptureFixture) -> None:
    decoder = ImageDecoder()
    row = SIZE[1] * (3 if encoding == "bgr16" else 1)
    values = np.full((SIZE[0], row), (1 << bits) - 1, np.uint16)
    for _ in range(3):
        assert decoder.decode(encoding, *SIZE, *fields(values)).min() == 255
    assert [record.getMessage() for record in caplog.records] == [
        f"Images in {encoding}: values are taken as of {bits} bits, 0 to {(1 << bits) - 1}."
    ]


def test_the_range_stays_when_a_dark_frame_comes() -> None:
    decoder = ImageDecoder()
    frames = [np.full(SIZE, value, np.uint16) for value in (4000, 100, 4000)]
    levels = [int(decoder.decode("mono16", *SIZE, *fields(frame)).max()) for frame in frames]
    assert levels == [4000 >> 4, 100 >> 4, 4000 >> 4]


@pytest.mark.parametrize("suffix", [".png", ".tiff"])
def test_a_12_bit_file_is_not_dark(suffix: str, caplog: pytest.LogCaptureFixture) -> None:
    data = cv2.imencode(suffix, np.full(SIZE, 4095, np.uint16))[1]
    image = ImageDecoder().decode_compressed("mono16; png compressed", data)
    np.testing.assert_array_equal(image, np.full((*SIZE, 3), 255))
    assert "of 12 bits" in caplog.text


def test_a_16_bit_colour_file_keeps_its_colours() -> None:
    rgb = halves()
    data = cv2.imencode(".png", rgb[..., ::-1].astype(np.uint16) * 257)[1]
    np.testing.assert_array_equal(ImageDecoder().decode_compressed("png", data), rgb)


@pytest.mark.parametrize("pattern", ["rggb", "bggr", "gbrg", "grbg"])
@pytest.mark.parametrize("size", [8, 16])
def test_a_compressed_bayer_pattern_is_coloured(pattern: str, size: int) -> None:
    data = cv2.imencode(".png", encoded(halves(), f"bayer_{pattern}{size}"))[1]
    image = ImageDecoder().decode_compressed(f"bayer_{pattern}{size}; png compressed ", data)
    np.testing.assert_allclose(image[4, 5], (200, 60, 40), atol=1)


def test_colours_made_of_a_bayer_pattern_before_compression_stay() -> None:
    rgb = halves()
    data = cv2.imencode(".png", rgb[..., ::-1])[1]
    np.testing.assert_array_equal(ImageDecoder().decode_compressed("bayer_rggb8; png compressed bgr8", data), rgb)


@pytest.mark.parametrize("suffix", [".png", ".jpg", ".webp", ".bmp", ".tiff"])
def test_a_file_over_the_limit_is_refused_before_it_is_decoded(suffix: str, monkeypatch: pytest.MonkeyPatch) -> None:
    data = cv2.imencode(suffix, np.zeros((100, 101, 3), np.uint8))[1]
    assert ImageDecoder(0.0101).decode_compressed("", data).shape == (100, 101, 3)
    for decoder in ("cv2.imdecode", "PIL.ImageFile.ImageFile.load"):
        monkeypatch.setattr(decoder, lambda *_: pytest.fail("it was decoded"))
    with pytest.raises(InputError, match=r"101 x 100 pixels.*raise max_megapixels"):
        ImageDecoder(0.01).decode_compressed("", data)


@pytest.mark.parametrize("side", [9_000, 14_000, 30_000])
def test_a_bomb_is_refused(side: int, monkeypatch: pytest.MonkeyPatch) -> None:
    head = cv2.imencode(".png", np.zeros((1, 1), np.uint8))[1].tobytes()
    fields = head[12:16] + side.to_bytes(4, "big") * 2 + head[24:29]
    bomb = head[:12] + fields + zlib.crc32(fields).to_bytes(4, "big") + head[33:]
    for decoder in ("cv2.imdecode", "PIL.ImageFile.ImageFile.load"):
        monkeypatch.setattr(decoder, lambda *_: pytest.fail("it was decoded"))
    with pytest.raises(InputError, match=r"megapixels|too large"):
        ImageDecoder().decode_compressed("png", bomb)


@pytest.mark.parametrize("encoding", ["rgb8", "mono8", "nv12"])
def test_a_raw_image_over_the_limit_is_refused(encoding: str) -> None:
    with pytest.raises(InputError, match=r"200 x 200 pixels.*max_megapixels"):
        ImageDecoder(0.03).decode(encoding, 200, 200, 600, bytes(120_000))


def test_the_limit_holds_for_what_others_convert() -> None:
    with pytest.raises(InputError, match="max_megapixels"):
        ImageDecoder(0.03).decode("odd", 200, 200, 600, bytes(120_000), fallback=lambda: pytest.fail("converted"))


def test_the_full_range_is_told_too(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        ImageDecoder().decode("mono16", *SIZE, *fields(np.full(SIZE, 65535, np.uint16)))
    assert "16 bits" in caplog.text
