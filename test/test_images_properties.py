"""Whatever an image message says, it becomes RGB of its size or an `InputError`."""

from __future__ import annotations

import cv2
import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from fastsam2_ros.encodings import ENCODINGS
from fastsam2_ros.errors import InputError
from fastsam2_ros.images import ImageDecoder

encodings = st.sampled_from(sorted(ENCODINGS))
odd_encodings = st.text(max_size=20) | st.sampled_from(
    ["32FC1", "8SC3", "64FC4", "yuv444", "RGB8", "16UC2", "\x1b[31m"]
)
whole = st.integers(0, 2**32 - 1)
sides = st.integers(0, 33)


@given(
    encodings | odd_encodings,
    sides | whole,
    sides | whole,
    st.integers(0, 300) | whole,
    st.binary(max_size=4000),
    whole,
)
def test_any_fields_give_rgb_or_an_input_error(encoding, height, width, step, data, is_bigendian) -> None:
    try:
        image = ImageDecoder().decode(encoding, height, width, step, data, is_bigendian=is_bigendian)
    except InputError:
        return
    assert (image.dtype, image.shape) == (np.uint8, (height, width, 3))


@given(
    encodings,
    st.integers(1, 17),
    st.integers(1, 17),
    st.integers(0, 9),
    st.randoms(use_true_random=False),
    st.booleans(),
)
def test_what_fits_is_decoded(encoding, height, width, padding, random, is_bigendian) -> None:
    layout = ENCODINGS[encoding]
    height, width = height * layout.grid[1], width * layout.grid[0]
    step = width * layout.channels * layout.size + padding
    data = random.randbytes(step * (height * 3 // 2 if layout.has_two_planes else height))
    image = ImageDecoder().decode(encoding, height, width, step, data, is_bigendian=is_bigendian)
    assert (image.dtype, image.shape) == (np.uint8, (height, width, 3))


@given(st.lists(st.integers(0, 2**16 - 1), min_size=1, max_size=20))
def test_16_bits_keep_their_order_and_use_the_range_of_8(levels) -> None:
    decoder = ImageDecoder()
    for place in range(1, len(levels) + 1):
        values = np.sort(np.array(levels[:place], "<u2"))
        shown = decoder.decode("mono16", 1, place, 2 * place, values.tobytes())[0, :, 0]
        assert (np.diff(shown.astype(int)) >= 0).all()
        assert values[-1] < 64 or shown[-1] >= 63  # the largest is never in the lowest quarter


PICTURES = [
    cv2.imencode(suffix, np.random.default_rng(1).integers(0, 256, (12, 15, 3)).astype(kind))[1].tobytes()
    for suffix, kind in (
        (".png", "u1"),
        (".png", "u2"),
        (".jpg", "u1"),
        (".webp", "u1"),
        (".tiff", "u2"),
        (".bmp", "u1"),
    )
]


@given(
    st.sampled_from(PICTURES),
    st.lists(st.tuples(st.integers(0, 2000), st.integers(0, 255)), max_size=6),
    st.integers(0, 3000),
    st.sampled_from(["", "png", "bayer_rggb8; png compressed", "mono16; png compressed", "rgb8; jpeg compressed bgr8"]),
)
def test_damaged_files_give_rgb_or_an_input_error(picture, changes, length, format) -> None:
    data = bytearray(picture[:length] if length < 2500 else picture)
    for place, value in changes:
        if place < len(data):
            data[place] = value
    try:
        image = ImageDecoder(1.0).decode_compressed(format, bytes(data))
    except InputError:
        return
    assert image.dtype == np.uint8
    assert image.ndim == 3
    assert image.shape[2] == 3
    assert image.size <= 3_000_000


@given(st.text(max_size=30), st.binary(max_size=300))
def test_any_bytes_give_rgb_or_an_input_error(format, data) -> None:
    try:
        image = ImageDecoder().decode_compressed(format, data)
    except InputError:
        return
    assert image.shape[2] == 3
