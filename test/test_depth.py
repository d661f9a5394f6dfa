import struct

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fastsam2_ros.depth import Camera, DepthImage, same_view
from fastsam2_ros.errors import InputError

ALL = slice(None)
K = (500.0, 0, 320.0, 0, 510.0, 240.0, 0, 0, 1)
UNSET = (0.0,) * 12


def image(values, encoding, **fields):
    height, width = values.shape
    good = {"height": height, "width": width, "step": values.strides[0], "data": values.tobytes()}
    return DepthImage.of_fields(encoding, **{**good, **fields})


@pytest.mark.parametrize(("encoding", "dtype", "value"), [("32FC1", "<f4", 1.5), ("16UC1", "<u2", 1500)])
def test_units_are_those_of_rep_118(encoding, dtype, value):
    values = np.full((3, 4), value, dtype)
    np.testing.assert_allclose(image(values, encoding).metres(ALL, ALL), 1.5)


@pytest.mark.parametrize(("encoding", "dtype"), [("32FC1", ">f4"), ("16UC1", ">u2")])
def test_big_endian_values_are_read(encoding, dtype):
    values = np.array([[1, 2]], dtype)
    depth = image(values, encoding, is_bigendian=1)
    assert depth.metres(ALL, ALL)[0, 1] == pytest.approx(2 * depth.unit)


def test_padding_of_rows_is_left_out():
    values = np.arange(12, dtype="<f4").reshape(3, 4)
    depth = image(values, "32FC1", width=3)
    np.testing.assert_array_equal(depth.values, values[:, :3])


@pytest.mark.parametrize("nothing", [0.0, -1.0, np.inf, -np.inf, np.nan])
def test_what_was_not_measured_is_nan(nothing):
    assert np.isnan(image(np.full((1, 1), nothing, "<f4"), "32FC1").metres(ALL, ALL)).all()


@pytest.mark.parametrize(
    ("fields", "told"),
    [
        ({"encoding": "rgb8"}, "rgb8"),
        ({"width": 0}, "empty"),
        ({"step": 8}, "step"),
        ({"data": b""}, "truncated"),
    ],
)
def test_a_bad_image_is_refused_with_the_reason(fields, told):
    good = {"encoding": "32FC1", "height": 2, "width": 4, "step": 16, "data": bytes(32)}
    with pytest.raises(InputError, match=told):
        DepthImage.of_fields(**{**good, **fields})


def file(values, a=0.0, b=0.0):
    """What compressed_depth_image_transport sends: a number and the quantisation, then a PNG."""
    return struct.pack("<iff", 0, a, b) + cv2.imencode(".png", values)[1].tobytes()


@pytest.mark.parametrize("format", ["16UC1; compressedDepth png", "16UC1; compressedDepth", "16UC1"])
def test_compressed_millimetres_stand_in_the_png(format):
    depth = DepthImage.of_file(format, file(np.array([[1500, 0, 65535]], np.uint16)), 1.0)
    np.testing.assert_allclose(depth.metres(ALL, ALL), [[1.5, np.nan, 65.535]])


def test_compressed_metres_are_quantised_as_the_head_says():
    a, b = 100.0 * 101.0, 1.0 - 100.0 * 101.0 / 10.0  # depth_quantization 100, depth_max 10, the publisher's defaults
    metres = np.array([[0.5, 1.0, 3.0, 9.0]])
    depth = DepthImage.of_file("32FC1; compressedDepth png", file((a / metres + b).astype(np.uint16), a, b), 1.0)
    np.testing.assert_allclose(depth.metres(ALL, ALL), metres, rtol=0.002)


def test_compressed_metres_have_holes_where_the_png_is_zero():
    depth = DepthImage.of_file("32FC1; compressedDepth png", file(np.zeros((2, 3), np.uint16), 10.0, -5.0), 1.0)
    assert np.isnan(depth.metres(ALL, ALL)).all()


@pytest.mark.parametrize(
    ("format", "data", "told"),
    [
        ("16UC1; compressedDepth rvl", file(np.ones((2, 2), np.uint16)), "format to png"),
        ("bgr8; jpeg compressed bgr8", b"", "bgr8"),
        ("16UC1; compressedDepth png", b"", "cannot be decoded"),
        ("16UC1; compressedDepth png", file(np.ones((2, 2), np.uint16))[:40], "cannot be decoded"),
        ("16UC1; compressedDepth png", file(np.ones((2, 2), np.uint8)), "cannot be decoded"),
        ("16UC1; compressedDepth png", file(np.ones((2, 2, 3), np.uint16)), "cannot be decoded"),
        ("16UC1; compressedDepth png", file(np.ones((1001, 1000), np.uint16)), "megapixels"),
    ],
    ids=["RVL", "colours", "nothing", "cut off", "8 bits", "16 bits of colours", "too large"],
)
def test_a_bad_file_is_refused_with_the_reason(format, data, told):
    with pytest.raises(InputError, match=told):
        DepthImage.of_file(format, data, 1.0)


@given(
    st.sampled_from(["16UC1", "32FC1"]),
    st.binary(min_size=12, max_size=12),
    st.lists(st.tuples(st.integers(0, 200), st.integers(0, 255)), max_size=4),
    st.integers(0, 200),
)
def test_whatever_a_file_holds_its_depth_is_positive_or_nan(encoding, head, changes, length):
    data = bytearray(head + file(np.arange(12, dtype=np.uint16).reshape(3, 4))[12:])
    for place, value in changes:
        data[place % len(data)] = value
    try:
        depth = DepthImage.of_file(f"{encoding}; compressedDepth png", bytes(data[: max(length, 12)]), 1.0)
    except InputError:
        return
    metres = depth.metres(ALL, ALL)
    assert (np.isnan(metres) | (metres > 0)).all()


def test_a_camera_without_a_projection_has_its_intrinsics():
    assert Camera.of_fields(640, 480, K, UNSET) == Camera(500, 510, 320, 240, 640, 480)


def test_the_projection_counts_where_it_is_set():
    p = (400.0, 0, 310, -40, 0, 410, 230, 0, 0, 0, 1, 0)
    assert Camera.of_fields(640, 480, K, p) == Camera(400, 410, 310, 230, 640, 480)


@pytest.mark.parametrize("k", [(0.0,) * 9, (np.nan,) * 9, (-500.0, *K[1:])])
def test_a_camera_that_was_not_calibrated_is_refused(k):
    with pytest.raises(InputError, match="calibrate"):
        Camera.of_fields(640, 480, k, UNSET)


def test_binning_makes_the_image_smaller():
    assert Camera.of_fields(640, 480, K, UNSET, binning=(2, 2)) == Camera(250, 255, 159.75, 119.75, 320, 240)


@pytest.mark.parametrize("binning", [(5000, 1), (1, 5000)])
def test_binning_that_leaves_no_pixel_is_refused(binning):
    with pytest.raises(InputError, match="binning"):
        Camera.of_fields(640, 480, K, UNSET, binning=binning)


def test_a_region_moves_the_principal_point():
    camera = Camera.of_fields(640, 480, K, UNSET, region=(100, 50, 200, 100))
    assert camera == Camera(500, 510, 220, 190, 200, 100)


def test_scaling_keeps_the_rays():
    camera = Camera.of_fields(640, 480, K, UNSET)
    half = camera.scaled(320, 240)
    # The corner between the first pixels: -.5 in both.
    assert (-0.5 - half.cx) / half.fx == pytest.approx((-0.5 - camera.cx) / camera.fx)


@pytest.mark.parametrize(
    ("other", "same"), [((240, 320), True), ((271, 361), True), ((360, 640), False), ((640, 480), False)]
)
def test_views_differ_in_their_shape(other, same):
    assert same_view((480, 640), other) == same
