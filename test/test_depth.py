import numpy as np
import pytest

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
