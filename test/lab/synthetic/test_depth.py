from itertools import pairwise

import numpy as np
import pytest

from fastsam2_ros.depth import DepthImage
from fastsam2_ros.lab.synthetic.depth import camera_of
from fastsam2_ros.lab.synthetic.world import HELD_OUT_SEED, generate
from fastsam2_ros.positions import locate

SIZE = (192, 256)


def clip(seed=7, level=3, frames=4):
    return generate(seed, level, frames, SIZE, with_depth=True)


def test_depth_is_complete():
    depth = clip().depth
    assert depth.shape == (4, *SIZE)
    assert depth.dtype == np.float32
    assert (depth > 0.5).all()
    assert (depth < 6).all()


def test_depth_is_the_same_again():
    np.testing.assert_array_equal(clip().depth, clip().depth)


def test_what_is_seen_does_not_depend_on_it():
    np.testing.assert_array_equal(generate(7, 3, 4, SIZE).frames, clip().frames)


def test_without_it_there_is_none():
    assert generate(7, 1, 1, SIZE).depth is None


def test_things_lie_before_the_ground():
    world = clip(level=1, frames=1)
    seen = world.ids[0] > 0
    assert world.depth[0][seen].max() < world.depth[0][~seen].min()


def test_things_lie_behind_one_another():
    """Each has a part of the range of its own, whatever it does."""
    world = clip(level=2, frames=20)
    ranges = sorted(
        (float(world.depth[world.ids == item.id].min()), float(world.depth[world.ids == item.id].max()))
        for item in world.objects
        if (world.ids == item.id).any()
    )
    assert all(first[1] < second[0] for first, second in pairwise(ranges))


def sensed(rng, depth):
    """As a cheap sensor measures it: noise of 1 %, edges mixed over three pixels, a fifth of holes."""
    kernel = np.ones(3) / 3
    mixed = np.apply_along_axis(np.convolve, 1, depth, kernel, "same")
    measured = mixed * (1 + 0.01 * rng.standard_normal(depth.shape))
    measured[rng.random(depth.shape) < 0.2] = 0
    return DepthImage((measured * 1000).astype(np.uint16), 0.001)


def true_position(mask, depth, camera):
    """The mean of what is seen of the surface."""
    v, u = np.nonzero(mask)
    z = depth[mask].astype(np.float64)
    return np.array([((u - camera.cx) * z / camera.fx).mean(), ((v - camera.cy) * z / camera.fy).mean(), z.mean()])


@pytest.mark.parametrize("level", [1, 2, 3])
def test_positions_are_within_two_percent_of_the_distance(level):
    rng, camera, errors = np.random.default_rng(0), camera_of(SIZE), []
    for seed in range(HELD_OUT_SEED, HELD_OUT_SEED + 10):
        world = generate(seed, level, 5, SIZE, stride=6, with_depth=True)
        for ids, depth in zip(world.ids, world.depth, strict=True):
            mask = ids == world.target
            found = locate(mask, sensed(rng, depth), camera)
            if found is not None:
                truth = true_position(mask, depth, camera)
                errors.append(np.linalg.norm(found.point - truth) / np.linalg.norm(truth))
    assert len(errors) > 40
    assert np.median(errors) < 0.02
    assert np.percentile(errors, 95) < 0.05
