"""What is measured on a mask."""

import numpy as np
import pytest

from fastsam2_ros.results import TrackedObject, TrackState

L_SHAPE = np.array(
    [
        [0, 0, 0, 0, 0],
        [0, 1, 0, 0, 0],
        [0, 1, 0, 0, 0],
        [0, 1, 1, 1, 0],
        [0, 0, 0, 0, 0],
    ],
    bool,
)


def measured(mask: np.ndarray) -> TrackedObject:
    return TrackedObject.of_mask(1, "mug", TrackState.TRACKING, 0.5, mask)


def test_the_box_is_tight():
    assert measured(L_SHAPE).box == (1, 1, 3, 3)


def test_the_centroid_is_the_mean_of_the_pixels():
    assert measured(L_SHAPE).centroid == pytest.approx((1.6, 2.4))


def test_the_area_is_the_number_of_pixels():
    assert measured(L_SHAPE).area == 5


def test_parts_far_from_each_other_are_in_one_box():
    mask = np.zeros((6, 8), bool)
    mask[0, 7] = mask[5, 0] = True
    assert measured(mask).box == (0, 0, 8, 6)


def test_an_empty_mask_has_no_box_and_no_centroid():
    nothing = measured(np.zeros((4, 6), bool))
    assert (nothing.box, nothing.centroid, nothing.area) == (None, None, 0)
