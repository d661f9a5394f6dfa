import array
import io

import cv2
import numpy as np
import pytest
from PIL import Image

from fastsam2_ros.errors import InputError
from fastsam2_ros.images import ImageDecoder, encode_image

HEIGHT, WIDTH = 4, 5


def rgb_image() -> np.ndarray:
    return np.random.default_rng(3).integers(0, 256, (HEIGHT, WIDTH, 3), np.uint8)


def encoded(rgb: np.ndarray, encoding: str) -> np.ndarray:
    alpha = np.full((*rgb.shape[:2], 1), 77, np.uint8)
    return {
        "rgb8": rgb,
        "bgr8": rgb[..., ::-1],
        "8UC3": rgb[..., ::-1],
        "rgba8": np.concatenate([rgb, alpha], 2),
        "bgra8": np.concatenate([rgb[..., ::-1], alpha], 2),
        "8UC4": np.concatenate([rgb[..., ::-1], alpha], 2),
        "mono8": rgb[..., :1],
        "8UC1": rgb[..., :1],
    }[encoding]


EXACT = ("rgb8", "bgr8", "8UC3", "rgba8", "bgra8", "8UC4", "mono8", "8UC1")


def decode_image(*fields, **more) -> np.ndarray:
    return ImageDecoder().decode(*fields, **more)


def decode_compressed(format: str, data) -> np.ndarray:
    return ImageDecoder().decode_compressed(format, data)


def padded(pixels: np.ndarray, padding: int) -> tuple[int, bytes]:
    rows = np.ascontiguousarray(pixels).reshape(len(pixels), -1)
    rows = np.pad(rows, ((0, 0), (0, padding)), constant_values=255)
    return rows.shape[1], rows.tobytes()


@pytest.mark.parametrize("padding", [0, 7])
@pytest.mark.parametrize("encoding", EXACT)
def test_every_8_bit_encoding_becomes_rgb(encoding: str, padding: int) -> None:
    rgb = rgb_image()
    step, data = padded(encoded(rgb, encoding), padding)
    expected = np.repeat(rgb[..., :1], 3, axis=2) if encoding in ("mono8", "8UC1") else rgb
    image = decode_image(encoding, HEIGHT, WIDTH, step, data)
    assert image.dtype == np.uint8
    np.testing.assert_array_equal(image, expected)


@pytest.mark.parametrize("padding", [0, 7])
@pytest.mark.parametrize("encoding", ["rgb8", "rgba8"])
def test_rgb_order_is_a_view(encoding: str, padding: int) -> None:
    step, data = padded(encoded(rgb_image(), encoding), padding)
    buffer = np.frombuffer(data, np.uint8)
    assert np.shares_memory(decode_image(encoding, HEIGHT, WIDTH, step, buffer), buffer)


@pytest.mark.parametrize("kind", [bytes, bytearray, memoryview, lambda data: array.array("B", data)])
def test_any_buffer_is_read(kind) -> None:
    rgb = rgb_image()
    np.testing.assert_array_equal(decode_image("rgb8", HEIGHT, WIDTH, WIDTH * 3, kind(rgb.tobytes())), rgb)


def test_data_beyond_the_image_is_ignored() -> None:
    rgb = rgb_image()
    np.testing.assert_array_equal(decode_image("rgb8", HEIGHT, WIDTH, WIDTH * 3, rgb.tobytes() + b"tail"), rgb)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        (("rgb8", 0, 5, 15, b""), "empty"),
        (("rgb8", 4, 0, 0, b""), "empty"),
        (("rgb8", 4, 5, 15, bytes(59)), "59 bytes of data .* = 60"),
        (("rgb8", 4, 5, 15, b""), "truncated"),
        (("mono8", 4, 5, 5, bytes(19)), "truncated"),
        (("rgb8", 4, 5, 14, bytes(60)), "step is 14 .* has 15"),
        (("bgra8", 4, 5, 15, bytes(60)), "has 20"),
        (("rgb8", 4, 5, 0, bytes(60)), "step is 0"),
        (("rgb9", 4, 5, 15, bytes(60)), "'rgb9', which is not known here.*rgb8, bgr8, rgba8, bgra8, mono8"),
        (("32FC1", 4, 5, 20, bytes(80)), "'32FC1': depth"),
        (("bayer_rggb8", 4, 5, 5, bytes(20)), "5 x 4 pixels in bayer_rggb8.*multiples of 2 and 2"),
        (("yuyv", 4, 5, 10, bytes(40)), "multiples of 2 and 1"),
        (("nv12", 4, 6, 6, bytes(35)), "6 x 6 = 36"),
        (("mono16", 4, 5, 9, bytes(40)), "step is 9 .* has 10"),
        (("", 4, 5, 5, bytes(20)), "encoding is ''"),
    ],
)
def test_a_bad_image_is_named(fields: tuple, message: str) -> None:
    with pytest.raises(InputError, match=message):
        decode_image(*fields)


def test_other_encodings_go_to_the_fallback() -> None:
    rgb = rgb_image()
    assert decode_image("yuv444", HEIGHT, WIDTH, WIDTH * 2, bytes(40), fallback=lambda: rgb) is rgb


def test_known_encodings_do_not_go_to_the_fallback() -> None:
    image = decode_image("rgb8", HEIGHT, WIDTH, WIDTH * 3, bytes(60), fallback=rgb_image)
    assert not image.any()


def failing() -> np.ndarray:
    raise RuntimeError("no such conversion")


@pytest.mark.parametrize(
    ("fallback", "message"),
    [(failing, "no such conversion"), (lambda: np.zeros((4, 5), np.uint8), r"\(4, 5\), not to RGB")],
)
def test_a_failing_fallback_is_an_input_error(fallback, message: str) -> None:
    with pytest.raises(InputError, match=message):
        decode_image("yuv444", HEIGHT, WIDTH, WIDTH * 2, bytes(40), fallback=fallback)


@pytest.mark.parametrize("suffix", [".png", ".jpg"])
def test_compressed_images_become_rgb(suffix: str) -> None:
    red = np.zeros((16, 16, 3), np.uint8)
    red[..., 0] = 200
    data = cv2.imencode(suffix, red[..., ::-1])[1].tobytes()
    np.testing.assert_allclose(decode_compressed("jpeg", data), red, atol=3)


def test_a_grey_compressed_image_has_three_channels() -> None:
    data = cv2.imencode(".png", np.full((6, 7), 9, np.uint8))[1]
    np.testing.assert_array_equal(decode_compressed("mono8; png compressed", data), np.full((6, 7, 3), 9))


@pytest.mark.parametrize(
    ("format", "data", "message"),
    [
        ("jpeg", b"", "0 bytes"),
        ("jpeg", b"this is no picture", "cannot be decoded"),
        ("16UC1; compressedDepth png", b"x", "depth"),
    ],
)
def test_bad_compressed_data_is_named(format: str, data: bytes, message: str) -> None:
    with pytest.raises(InputError, match=message):
        decode_compressed(format, data)


@pytest.mark.parametrize("suffix", [".jpg", ".png", ".webp", ".tiff", ".bmp", ".ppm"])
def test_nothing_is_printed_about_a_damaged_file(suffix: str, capfd: pytest.CaptureFixture[str]) -> None:
    random = np.random.default_rng(0)
    data = cv2.imencode(suffix, random.integers(0, 256, (40, 50, 3), np.uint8))[1]
    refused = 0
    for number in range(60):
        damaged = data.copy()
        damaged[random.integers(0, data.size, 3)] = random.integers(0, 256, 3)
        try:
            decode_compressed("", damaged[: random.integers(30, data.size)] if number % 2 else damaged)
        except InputError:
            refused += 1
    assert refused
    assert capfd.readouterr().err == ""


def test_a_jpeg_that_ends_early_is_refused() -> None:
    data = cv2.imencode(".jpg", np.random.default_rng(0).integers(0, 256, (40, 50, 3), np.uint8))[1]
    with pytest.raises(InputError, match="truncated"):
        decode_compressed("jpeg", data[:-100])


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGB", "RGBA", "I;16"])
def test_every_kind_of_png_is_read(mode: str) -> None:
    file = io.BytesIO()
    Image.new("RGB", (7, 6), "white").convert("L" if mode == "I;16" else mode).convert(mode).save(file, "PNG")
    image = decode_compressed("png", file.getvalue())
    assert (image.dtype, image.shape, image.min()) == (np.uint8, (6, 7, 3), 255)


@pytest.mark.parametrize("encoding", ["rgb8", "bgr8"])
def test_what_is_encoded_decodes_to_itself(encoding: str) -> None:
    rgb = rgb_image()
    np.testing.assert_array_equal(ImageDecoder().decode(**encode_image(rgb, encoding)), rgb)


def test_labels_are_little_endian() -> None:
    fields = encode_image(np.array([[1, 258]], np.uint16), "16UC1")
    assert fields["data"].tolist() == [1, 0, 2, 1]
    assert fields["step"] == 4


def test_rgb8_is_encoded_without_a_copy() -> None:
    rgb = rgb_image()
    assert np.shares_memory(encode_image(rgb, "rgb8")["data"], rgb)


@pytest.mark.parametrize(
    ("image", "encoding"),
    [
        (np.zeros((2, 2), np.uint8), "rgb8"),
        (np.zeros((2, 2, 4), np.uint8), "bgr8"),
        (np.zeros((2, 2), np.uint8), "16UC1"),
        (np.zeros((2, 2), bool), "mono8"),
        (np.zeros((2, 2), np.uint8), "8UC7"),
    ],
)
def test_arrays_that_do_not_suit_are_refused(image: np.ndarray, encoding: str) -> None:
    with pytest.raises(InputError, match=encoding):
        encode_image(image, encoding)
