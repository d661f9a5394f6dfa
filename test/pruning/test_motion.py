"""Motion from frames whose motion is known."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from fastsam2_ros.pruning.motion import NOMINAL_SECONDS, MotionEstimator, percentile, revealed, small_size

SIZE = (240, 320)
DIAGONAL = float(np.hypot(*SIZE))
STEP_NS = 100_000_000  # ten frames per second


def texture(seed: int, size=SIZE) -> np.ndarray:
    noise = np.random.default_rng(seed).integers(0, 256, (*size, 3), np.uint8)
    smooth = cv2.GaussianBlur(noise, (0, 0), 4).astype(np.float32)
    return np.clip((smooth - 128) * 8 + 128, 0, 255).astype(np.uint8)


def shifted(frame: np.ndarray, x: float, y: float) -> np.ndarray:
    return cv2.warpAffine(frame, np.float32([[1, 0, x], [0, 1, y]]), frame.shape[1::-1], borderMode=cv2.BORDER_REFLECT)


def scene(camera_x: float, thing_x: float) -> tuple[np.ndarray, np.ndarray]:
    """A textured square of 80 pixels on a background; also its mask."""
    frame = shifted(texture(1), camera_x, 0)
    left = round(100 + thing_x)
    frame[80:160, left : left + 80] = texture(2, (80, 80))
    mask = np.zeros(SIZE, bool)
    mask[80:160, left : left + 80] = True
    return frame, mask[None]


def second(first: np.ndarray, then: np.ndarray, mask=None, step_ns=STEP_NS):
    estimator = MotionEstimator()
    estimator.update(first, 0)
    return estimator.update(then, step_ns, mask)


def test_the_first_frame_has_no_motion():
    motion = MotionEstimator().update(texture(1), 5, np.ones((2, 4, 4), bool))
    assert motion.magnitude == motion.magnitude_of(1) == 0
    assert motion.seconds == NOMINAL_SECONDS


def test_a_still_scene_has_none():
    motion = second(texture(1), texture(1))
    assert motion.magnitude < 0.005


def test_sensor_noise_is_not_motion():
    generator = np.random.default_rng(3)
    noisy = [np.clip(texture(1) + generator.normal(0, 6, (*SIZE, 3)), 0, 255).astype(np.uint8) for _ in range(2)]
    assert second(*noisy).magnitude < 0.05


def test_a_moving_thing_has_its_speed_in_diagonals_per_second():
    frame, mask = scene(0, 0)
    motion = second(frame, scene(0, 6)[0], mask)
    assert motion.target == pytest.approx(6 / DIAGONAL / 0.1, rel=0.2)
    assert motion.displacement == pytest.approx(6 / DIAGONAL, rel=0.2)
    assert motion.revealed < 0.05


def test_each_target_has_its_own_speed():
    frame, mask = scene(0, 0)
    still = np.zeros(SIZE, bool)
    still[170:230, 20:90] = True
    motion = second(frame, scene(0, 6)[0], np.stack([mask[0], still]))
    assert motion.displacements[0] == pytest.approx(6 / DIAGONAL, rel=0.2)
    assert motion.displacements[1] < 0.1 * motion.displacements[0]
    assert motion.displacement == motion.displacements[0]
    assert motion.magnitude == motion.magnitude_of(0) > 5 * motion.magnitude_of(1)


def test_a_target_that_is_not_seen_goes_by_what_moves_anywhere():
    frame, mask = scene(0, 0)
    then = scene(0, 6)[0]
    motion = second(frame, then, np.stack([mask[0], np.zeros(SIZE, bool)]))
    assert motion.displacements[1] is None
    assert motion.magnitude_of(1) == pytest.approx(motion.anywhere / 0.1 + motion.revealed)
    assert motion.displacement == motion.displacements[0]


def test_what_the_camera_newly_shows_counts_for_every_target():
    still = np.zeros((1, *SIZE), bool)
    still[:, 100:150, 100:180] = True
    motion = second(texture(1), shifted(texture(1), 8, 0), still)
    assert motion.magnitude_of(0) == pytest.approx(motion.revealed, abs=0.05)


def test_speed_is_per_second_whatever_the_frame_rate():
    frame, mask = scene(0, 0)
    fast = second(frame, scene(0, 6)[0], mask, STEP_NS)
    slow = second(frame, scene(0, 6)[0], mask, 2 * STEP_NS)
    assert slow.target == pytest.approx(fast.target / 2, rel=0.01)
    assert slow.displacement == pytest.approx(fast.displacement, rel=0.01)


def test_the_cameras_motion_is_told_apart():
    """Everything shifts alike: nothing moves by itself, and what came into view is new."""
    motion = second(texture(1), shifted(texture(1), 8, 0))
    assert motion.target < 0.05
    assert motion.camera[0, 2] == pytest.approx(8 / SIZE[1], abs=0.004)
    assert motion.revealed == pytest.approx(8 / SIZE[1] / 0.1, rel=0.2)


def test_a_thing_that_stands_still_before_a_moving_camera_moves():
    frame, mask = scene(0, 0)
    motion = second(frame, scene(6, 0)[0], mask)
    assert motion.target == pytest.approx(6 / DIAGONAL / 0.1, rel=0.25)


def test_a_zoom_is_the_cameras():
    zoom = cv2.warpAffine(texture(1), cv2.getRotationMatrix2D((160, 120), 0, 1.05), SIZE[::-1])
    motion = second(texture(1), zoom)
    assert motion.camera[0, 0] == pytest.approx(1.05, abs=0.01)
    assert motion.revealed < 0.02  # a zoom in shows nothing that was not there


def test_speed_is_over_the_time_of_frames_passed_over_too():
    frame, mask = scene(0, 0)
    estimator = MotionEstimator()
    estimator.update(frame, 0)
    for index in range(1, 4):
        estimator.pass_over(index * STEP_NS)
    motion = estimator.update(scene(0, 6)[0], 4 * STEP_NS, mask)
    assert motion.target == pytest.approx(second(frame, scene(0, 6)[0], mask).target / 4)
    assert (motion.seconds, motion.elapsed) == pytest.approx((0.1, 0.4))


def test_frames_passed_over_count_once():
    estimator = MotionEstimator()
    estimator.update(texture(1), 0)
    estimator.pass_over(STEP_NS)
    assert estimator.update(texture(1), 2 * STEP_NS).elapsed == pytest.approx(0.2)
    assert estimator.update(texture(1), 3 * STEP_NS).elapsed == pytest.approx(0.1)


@pytest.mark.parametrize("step_ns", [0, -STEP_NS])
def test_a_stamp_that_does_not_rise_takes_the_last_interval(step_ns):
    estimator = MotionEstimator()
    estimator.update(texture(1), 0)
    estimator.update(texture(1), STEP_NS)
    motion = estimator.update(texture(1), STEP_NS + step_ns)
    assert not motion.stamp_ok
    assert motion.seconds == pytest.approx(0.1)


def test_after_a_jump_back_stamps_count_from_there():
    estimator = MotionEstimator()
    estimator.update(texture(1), 10 * STEP_NS)
    estimator.update(texture(1), 0)
    motion = estimator.update(texture(1), 2 * STEP_NS)
    assert motion.stamp_ok
    assert motion.seconds == pytest.approx(0.2)


def test_a_change_of_size_starts_anew():
    assert second(texture(1), texture(1, (200, 320))).magnitude == 0


def test_frames_without_any_texture():
    grey = np.full((*SIZE, 3), 128, np.uint8)
    assert np.isfinite(second(grey, grey).magnitude)
    assert second(grey, grey).magnitude < 0.01


def test_equal_frames_give_equal_results():
    first, then = scene(0, 0)[0], scene(3, 9)[0]
    results = [second(first, then) for _ in range(2)]
    assert results[0].magnitude == results[1].magnitude
    assert np.array_equal(results[0].camera, results[1].camera)


def test_tiny_frames():
    assert np.isfinite(second(texture(1, (2, 3)), texture(2, (2, 3))).magnitude)


@pytest.mark.parametrize(
    ("frame", "small"),
    [
        ((480, 854), (108, 192)),
        ((854, 480), (342, 192)),
        ((100, 400), (48, 192)),
        ((400, 100), (768, 192)),
        ((128, 1024), (48, 192)),
        ((2000, 10), (768, 192)),
        ((1, 1), (192, 192)),
        ((1, 8192), (48, 192)),
    ],
)
def test_the_small_picture_is_bounded_on_both_sides(frame, small):
    assert small_size(*frame) == small


@pytest.mark.parametrize("size", [(128, 1024), (1024, 128), (64, 2048)])
@pytest.mark.parametrize("shift", [(24, 0), (0, 8), (24, 8)])
def test_a_long_frame_shifts_by_its_shares(size, shift):
    """Of the long side by 24 pixels, of the short one by 8."""
    along, across = shift
    x, y = (along, across) if size[1] > size[0] else (across, along)
    motion = second(texture(1, size), shifted(texture(1, size), x, y))
    middle = motion.camera @ [0.5, 0.5, 1.0]
    assert middle - 0.5 == pytest.approx([x / size[1], y / size[0]], abs=0.01)
    assert motion.camera[:, :2] == pytest.approx(np.eye(2), abs=0.05)
    assert motion.target < 0.1


def test_the_camera_turns_in_a_long_frame():
    """The picture is squeezed: as a share of the height, the ends move far."""
    height, width = 256, 2048
    turn = cv2.getRotationMatrix2D((width / 2, height / 2), 1.0, 1.0)
    frame = texture(1, (height, width))
    turned = cv2.warpAffine(frame, turn, (width, height), borderMode=cv2.BORDER_REFLECT)
    right = turn[:, :2] * [[1, height / width], [width / height, 1]]
    assert second(frame, turned).camera[:, :2] == pytest.approx(right, abs=0.03)


def test_a_thing_moves_along_a_long_frame_by_its_share_of_it():
    frame = texture(1, (128, 1024))
    first, then = frame.copy(), frame.copy()
    first[10:118, 400:640] = texture(2, (108, 240))
    then[10:118, 424:664] = texture(2, (108, 240))
    mask = np.zeros((1, 128, 1024), bool)
    mask[0, 10:118, 400:640] = True
    assert second(first, then, mask).displacement == pytest.approx(24 / np.hypot(1024, 1024 / 4), rel=0.25)


@pytest.mark.parametrize("size", [0.0, 1e-7, 1e-5, 1e-3])
def test_a_camera_that_hardly_moves_reveals_hardly_anything(size):
    chance = np.random.default_rng(0)
    shown = [revealed(np.eye(2, 3) + size * chance.standard_normal((2, 3))) for _ in range(200)]
    assert max(shown) <= 10 * size


@pytest.mark.parametrize(
    ("camera", "share"),
    [
        ([[1, 0, 0.25], [0, 1, 0]], 0.25),
        ([[1, 0, -0.25], [0, 1, 0.5]], 1 - 0.75 * 0.5),
        ([[0.5, 0, 0.25], [0, 0.5, 0.25]], 0.75),
        ([[2, 0, -0.5], [0, 2, -0.5]], 0.0),
        ([[0, -1, 1], [1, 0, 0]], 0.0),
        ([[1, 0, 3], [0, 1, 0]], 1.0),
    ],
    ids=["to the right", "left and down", "away", "nearer", "a quarter turn", "out of sight"],
)
def test_what_the_last_frame_does_not_cover_is_revealed(camera, share):
    assert revealed(np.array(camera, np.float64)) == pytest.approx(share)


@pytest.mark.parametrize("share", [0, 33, 75, 95, 100])
@pytest.mark.parametrize("shape", [(1,), (2,), (7, 11), (108, 192)])
def test_a_percentile_is_numpys(shape, share):
    values = np.random.default_rng(0).random(shape, np.float32)
    assert percentile(values, share) == pytest.approx(np.percentile(values.astype(np.float64), share), abs=1e-7)


def test_a_percentile_leaves_the_values_in_their_order():
    values = np.array([3, 1, 2], np.float32)
    percentile(values, 50)
    assert values.tolist() == [3, 1, 2]
