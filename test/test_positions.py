import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fastsam2_ros.depth import Camera, DepthImage
from fastsam2_ros.positions import locate, surface_points

CAMERA = Camera(fx=200.0, fy=200.0, cx=79.5, cy=59.5, width=160, height=120)
SIZE = (120, 160)


def square(left=60, top=40, side=40):
    mask = np.zeros(SIZE, bool)
    mask[top : top + side, left : left + side] = True
    return mask


def scene(mask, near=1.0, far=3.0):
    """Depth of a flat thing before a flat wall."""
    return np.where(mask, np.float32(near), np.float32(far))


def position(mask, depth, camera=CAMERA):
    return locate(mask, DepthImage(depth), camera)


def test_a_thing_in_the_middle_is_straight_ahead():
    mask = square()
    assert position(mask, scene(mask)).point == pytest.approx((0, 0, 1), abs=1e-6)


def test_right_and_below_are_positive():
    mask = square(left=100, top=60)
    assert position(mask, scene(mask, near=2.0)).point == pytest.approx((0.4, 0.2, 2), abs=1e-6)


def test_the_extent_is_that_of_the_surface():
    mask = square()
    assert position(mask, scene(mask)).extent == pytest.approx((0.2, 0.2, 0.0), abs=0.006)


def test_the_covariance_is_that_of_the_surface():
    mask = square()
    covariance = position(mask, scene(mask)).covariance
    np.testing.assert_allclose(covariance, np.diag([0.2**2 / 12, 0.2**2 / 12, 0]), atol=2e-5)


def test_an_empty_mask_has_no_position():
    assert position(np.zeros(SIZE, bool), np.ones(SIZE, np.float32)) is None


@pytest.mark.parametrize("nothing", [0.0, -1.0, np.nan, np.inf, -np.inf])
def test_a_thing_without_depth_has_no_position(nothing):
    mask = square()
    assert position(mask, scene(mask, near=nothing)) is None


@pytest.mark.parametrize("nothing", [0.0, np.nan, np.inf])
def test_holes_do_not_pull_it_aside(nothing):
    mask = square()
    depth = scene(mask)
    depth[:, :90] = nothing  # three quarters of the thing
    assert position(mask, depth).point == pytest.approx((0, 0, 1), abs=1e-6)


@pytest.mark.parametrize("shift", [1, 2, 3])
def test_a_rim_of_the_wall_does_not_pull_it_back(shift):
    mask = square()
    covered = square(60 + shift, 40 + shift)
    assert position(covered, scene(mask)).point == pytest.approx((0, 0, 1), abs=0.005 * shift)


def test_mixed_pixels_at_the_edge_do_not_pull_it_back():
    mask = square(side=12)
    depth = scene(mask)
    inner = square(62, 42, 8)
    depth[mask & ~inner] = 2.0  # more than half of all
    assert position(mask, depth).point[2] == pytest.approx(1.0)


def test_something_before_a_third_of_it_does_not_pull_it():
    mask = square()
    depth = scene(mask)
    depth[:, 60:72] = 0.4
    x, _, z = position(mask, depth).point
    assert z == pytest.approx(1.0)
    assert x == pytest.approx(6 / 200)  # the middle of what is seen of it


def test_a_thing_as_deep_as_it_is_wide_is_one():
    mask = square()
    depth = scene(mask)
    depth[:, 80:100] = 1.08
    assert position(mask, depth).extent[2] == pytest.approx(0.08)


def test_a_line_of_one_pixel_has_a_position():
    mask = np.zeros(SIZE, bool)
    mask[60, 40:120] = True
    assert position(mask, scene(mask)).point == pytest.approx((0, 0.5 / 200, 1))


def test_fewer_than_five_pixels_have_no_position():
    assert position(square(side=2), np.ones(SIZE, np.float32)) is None


def test_millimetres_and_metres_are_the_same():
    mask = square()
    metres = scene(mask)
    millimetres = DepthImage((metres * 1000).astype(np.uint16), 0.001)
    assert locate(mask, millimetres, CAMERA).point == pytest.approx(position(mask, metres).point, abs=1e-6)


def test_depth_of_half_the_resolution_gives_the_same_place():
    mask = square(left=100, top=60)
    depth = scene(mask)
    assert position(mask, depth[::2, ::2]).point == pytest.approx(position(mask, depth).point, abs=0.005)


def test_a_large_mask_is_looked_at_in_steps_without_a_shift():
    camera = CAMERA.scaled(1600, 1200)
    mask = np.zeros((1200, 1600), bool)
    mask[200:1000, 300:1300] = True
    near = position(mask, np.ones((1200, 1600), np.float32), camera)
    assert near.point == pytest.approx((0, 0, 1), abs=0.002)
    assert near.extent == pytest.approx((0.5, 0.4, 0), abs=0.01)


@given(
    place=st.tuples(st.integers(0, 120), st.integers(0, 80)),
    near=st.floats(0.3, 8.0),
    noise=st.floats(0.0, 0.02),
    holes=st.floats(0.0, 0.6),
    seed=st.integers(0, 1000),
)
def test_noise_and_holes_leave_it_within_two_percent(place, near, noise, holes, seed):
    rng = np.random.default_rng(seed)
    mask = square(*place)
    depth = scene(mask, near, near + 2) * (1 + noise * rng.standard_normal(SIZE))
    depth[rng.random(SIZE) < holes] = 0
    found = np.array(position(mask, depth.astype(np.float32)).point)
    v, u = np.nonzero(mask)
    truth = near * np.array([(u.mean() - CAMERA.cx) / CAMERA.fx, (v.mean() - CAMERA.cy) / CAMERA.fy, 1])
    assert np.linalg.norm(found - truth) < 0.02 * np.linalg.norm(truth)


@given(seed=st.integers(0, 1000))
def test_a_covariance_has_no_negative_variances(seed):
    rng = np.random.default_rng(seed)
    covariance = position(rng.random(SIZE) < 0.3, rng.uniform(0, 4, SIZE).astype(np.float32)).covariance
    assert np.linalg.eigvalsh(covariance).min() > -1e-12


def cloud(mask, depth, most=10_000):
    image = DepthImage(depth)
    return surface_points(mask, image, CAMERA, locate(mask, image, CAMERA), most)


def test_points_are_those_of_the_thing():
    mask = square()
    points, places = cloud(mask, scene(mask))
    assert len(points) == mask.sum()
    assert (points.min(0), points.max(0)) == (
        pytest.approx((-0.0975, -0.0975, 1)),
        pytest.approx((0.0975, 0.0975, 1)),
    )
    assert mask[tuple(places.T)].all()


def test_points_of_the_wall_and_holes_are_left_out():
    mask = square()
    depth = scene(square(left=65))
    depth[50] = np.nan
    points, _ = cloud(mask, depth)
    assert len(points) == 35 * 39
    assert (points[:, 2] == 1).all()


def test_points_are_limited_and_spread():
    mask = square()
    points, places = cloud(mask, scene(mask), most=100)
    assert 50 < len(points) <= 100
    assert (places.min(0), places.max(0)) == (pytest.approx((40, 60)), pytest.approx((79, 99), abs=4))
