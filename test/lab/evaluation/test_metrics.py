from __future__ import annotations

import json
import math

import numpy as np
import pytest

from fastsam2_ros.errors import InputError
from fastsam2_ros.lab.evaluation.baselines import StoredMasks
from fastsam2_ros.lab.evaluation.datasets import open_dataset
from fastsam2_ros.lab.evaluation.metrics import boundary, contour_accuracy, region_similarity, statistics
from fastsam2_ros.lab.evaluation.ours import FIRST_MASK
from fastsam2_ros.lab.evaluation.run import evaluate_sequence

from .footage import square

EMPTY = np.zeros((24, 32), bool)
FULL = np.ones((24, 32), bool)


@pytest.mark.parametrize("name", ["blackswan", "camel", "car-shadow", "dog"])
def test_j_and_f_are_the_official_ones(shared, tmp_path, name: str) -> None:
    golden = json.loads((shared / "davis" / "osvos_golden.json").read_text())[name]
    sequence = open_dataset(shared / "davis").open(name)
    record = evaluate_sequence(sequence, StoredMasks(shared / "davis" / "osvos"), FIRST_MASK, tmp_path)
    scores = record["objects"]["1"]
    assert len(scores["frames"]) == golden["evaluated"]
    assert round(statistics(scores["J"]).mean, 4) == golden["J"]
    assert round(statistics(scores["F"]).mean, 4) == golden["F"]


@pytest.mark.parametrize("metric", [region_similarity, contour_accuracy])
@pytest.mark.parametrize(
    ("truth", "result", "expected"),
    [
        (EMPTY, EMPTY, 1.0),
        (square(4), EMPTY, 0.0),
        (EMPTY, square(4), 0.0),
        (square(4), square(4), 1.0),
        (square(0, 0), square(20, 16), 0.0),
    ],
)
def test_the_ends_of_the_scale(metric, truth, result, expected: float) -> None:
    assert metric(truth, result) == expected


def test_j_is_intersection_over_union() -> None:
    assert region_similarity(square(4), square(8)) == pytest.approx(32 / 96)


def test_a_full_frame_has_no_contour() -> None:
    assert contour_accuracy(FULL, FULL) == 1.0
    assert contour_accuracy(FULL, square(4)) == 0.0


def test_the_contour_lies_on_upper_and_left_sides_of_changes() -> None:
    mask = np.zeros((5, 5), bool)
    mask[2, 2] = True
    expected = np.zeros((5, 5), bool)
    expected[1:3, 1:3] = True
    np.testing.assert_array_equal(boundary(mask), expected)


def test_the_contour_reaches_the_last_row_and_column_but_not_the_corner() -> None:
    mask = np.zeros((4, 4), bool)
    mask[:, 2:] = True
    assert boundary(mask)[:, 1].all()
    mask[:] = False
    mask[3, 3] = True
    np.testing.assert_array_equal(np.argwhere(boundary(mask)), [[2, 2], [2, 3], [3, 2]])


@pytest.mark.parametrize(("shift", "expected"), [(8, 1.0), (10, 0.0)])
def test_contours_may_be_apart_by_a_share_of_the_diagonal(shift: int, expected: float) -> None:
    """At 480 x 854 the diagonal is 979.7 pixels, and .008 of it 7.8, rounded up."""
    truth, result = np.zeros((480, 854), bool), np.zeros((480, 854), bool)
    truth[:, :300] = True
    result[:, : 300 + shift] = True
    assert contour_accuracy(truth, result) == expected


def test_near_contours_are_found_by_a_disk_not_a_square() -> None:
    """One pixel each, 6 down and 6 right of each other: in the square of radius 8, and 8.5 pixels away."""
    truth, result = np.zeros((480, 854), bool), np.zeros((480, 854), bool)
    truth[100, 100] = result[107, 107] = True
    # Contours are 2 x 2 pixels; the nearest corners are 6 and 6 apart.
    assert contour_accuracy(truth, result) == 0.0


def test_void_pixels_do_not_count_in_j() -> None:
    void = square(12)
    assert region_similarity(square(4), square(4) | void, void) == 1.0
    assert region_similarity(square(4), square(4) | void) == 0.5


def test_void_pixels_belong_to_neither_mask_in_f() -> None:
    void = square(20)
    assert contour_accuracy(square(4), square(4) | void, void) == 1.0
    assert contour_accuracy(square(4), square(4) | void) < 1.0


def test_all_void_is_as_good_as_empty() -> None:
    assert region_similarity(square(4), EMPTY, FULL) == contour_accuracy(square(4), EMPTY, FULL) == 1.0


@pytest.mark.parametrize("metric", [region_similarity, contour_accuracy])
def test_masks_of_other_sizes_are_refused(metric) -> None:
    with pytest.raises(InputError, match=r"\(24, 32\) and \(3, 3\)"):
        metric(EMPTY, np.zeros((3, 3), bool))
    with pytest.raises(InputError, match=r"\(3, 3\)"):
        metric(EMPTY, EMPTY, np.zeros((3, 3), bool))


def test_mean_and_recall() -> None:
    result = statistics([1.0, 0.5, 0.6, 0.1])
    assert result.mean == pytest.approx(0.55)
    assert result.recall == 0.5, ".5 itself is not above .5"


@pytest.mark.parametrize(
    ("values", "decay"),
    [
        # Edges 1, 3, 5, 7, 9: bins share them.
        ([1, 1, 1, 0, 0, 0, 0, 0, 0], 1.0),
        ([0.9, 0.9, 0.9, 0, 0, 0, 0.3, 0.3, 0.3], 0.6),
        # 7 frames: edges 1, 2.5, 4, 5.5, 7, and halves are rounded up: frames 1-3 and 6-7.
        ([1, 1, 0, 0, 0, 1, 1], 2 / 3 - 1),
        # 3 frames: edges 1, 1.5, 2, 2.5, 3.
        ([1, 0, 0.5], 0.5 - 0.5),
        ([0.7], 0.0),
    ],
)
def test_decay_is_the_first_quarter_less_the_last(values, decay: float) -> None:
    assert statistics(values).decay == pytest.approx(decay)


def test_no_frames_have_no_statistics() -> None:
    result = statistics([])
    assert all(map(math.isnan, (result.mean, result.recall, result.decay)))
