import numpy as np
import pytest

from fastsam2_ros.lab.synthetic import motion

TIMES = np.arange(60) / 30
SIZE = (240, 320)
START = np.array([150.0, 110.0])


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


@pytest.mark.parametrize("seed", range(5))
def test_whoever_wanders_stays_in_the_frame(seed: int) -> None:
    path = motion.wander(rng(seed), START, TIMES, 200, SIZE, 0.9)
    np.testing.assert_allclose(path[0], START)
    assert (path > -20).all()
    assert (path < [340, 260]).all()


@pytest.mark.parametrize("seed", range(5))
def test_whoever_leaves_is_outside_for_a_while_and_inside_at_the_end(seed: int) -> None:
    path = motion.leave_and_return(rng(seed), START, TIMES, SIZE, 30)
    outside = ((path < -30) | (path > [350, 270])).any(1)
    assert outside.sum() >= 3
    assert ((path[-1] > 0) & (path[-1] < [320, 240])).all()


@pytest.mark.parametrize("seed", range(5))
def test_whoever_crosses_starts_away_and_meets_the_target(seed: int) -> None:
    target = motion.wander(rng(seed), START, TIMES, 50, SIZE, 0)
    distance = np.linalg.norm(motion.cross(rng(seed), target, TIMES, 90, 10) - target, axis=1)
    assert distance[0] >= 80
    assert distance.min() <= 12


@pytest.mark.parametrize("level", motion.MANNERS)
def test_the_camera_starts_with_the_identity_and_never_mirrors(level: int) -> None:
    view = motion.camera(rng(), TIMES, SIZE, motion.MANNERS[level])
    np.testing.assert_allclose(view[0], np.eye(2, 3), atol=1e-9)
    assert (np.linalg.det(view[:, :, :2]) > 0.5).all()


def test_inverse_undoes() -> None:
    view = motion.camera(rng(), TIMES, SIZE, motion.MANNERS[3])
    np.testing.assert_allclose(motion.compose(view, motion.inverse(view))[-1], np.eye(2, 3), atol=1e-9)
