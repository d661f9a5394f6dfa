from __future__ import annotations

import numpy as np
import pytest
import torch

from fastsam2_ros.pruning.motion import Motion
from fastsam2_ros.strays import WHOLE, without_strays
from fastsam2_ros.streaming.values import Decoded
from fastsam2_ros.streaming.warp import STILL

CUP, OTHER = (slice(20, 40), slice(10, 26)), (slice(20, 40), slice(34, 50))
SIDE = 64
SQUARE = (480, 480)


def logits(*places):
    mask = torch.full((1, SIDE, SIDE), -8.0)
    for rows, columns in places:
        mask[0, rows, columns] = 8.0
    return mask


def decoded(*masks):
    low = torch.stack(masks)
    high = torch.nn.functional.interpolate(low, scale_factor=4, mode="bilinear", align_corners=False)
    ones = torch.ones(len(masks))
    return Decoded(low, high, ones, ones, torch.zeros(len(masks), 8))


def motion(*displacements, camera=STILL):
    return Motion(0.1, 0.1, camera, 0.0, displacements, 0.0)


def places(result, row=0):
    """Shares of the cup and of the other that are in the mask."""
    inside = result.low_res[row, 0] > 0
    return tuple(float(inside[where].float().mean()) for where in (CUP, OTHER))


def test_a_look_alike_that_the_mask_spreads_to_is_left_out():
    before = decoded(logits(CUP, OTHER))
    result = without_strays(before, [logits(CUP)], motion(0.0), SQUARE)
    assert places(result) == (1, 0)
    assert torch.equal(result.high_res > 0, decoded(logits(CUP)).high_res > 0)  # no ring of it is left
    assert places(before) == (1, 1)  # which others may hold


def test_a_target_that_left_the_place_where_it_was_is_kept():
    result = decoded(logits(OTHER))
    assert without_strays(result, [logits(CUP)], motion(0.0), SQUARE) is result


def test_a_target_that_comes_out_on_both_sides_of_what_covers_it_is_kept():
    """It lies in two places, and less of it than was where it was."""
    rows, columns = CUP
    share = round((columns.stop - columns.start) * (WHOLE - 0.1))
    left = rows, slice(columns.start, columns.start + share)
    result = decoded(logits(left, OTHER))
    assert without_strays(result, [logits(CUP)], motion(0.0), SQUARE) is result


def test_nothing_is_left_out_of_one_that_was_not_seen_for_certain():
    result = decoded(logits(CUP, OTHER))
    assert without_strays(result, [None], motion(0.0), SQUARE) is result


def test_a_part_that_its_motion_brings_it_to_is_its_own():
    """Twelve cells of 64 in a frame: .13 of the diagonal."""
    rows, columns = CUP
    beside = rows, slice(columns.stop + 2, columns.stop + 10)
    result = decoded(logits(CUP, beside))
    assert without_strays(result, [logits(CUP)], motion(0.13), SQUARE) is result
    assert not (without_strays(result, [logits(CUP)], motion(0.0), SQUARE).low_res[0, 0][beside] > 0).any()


def test_the_cameras_motion_is_taken_out():
    """By 24 cells of 64 to the right: where the cup was, the other is now."""
    pan = np.array([[1, 0, 24 / SIDE], [0, 1, 0]])
    assert places(without_strays(decoded(logits(CUP, OTHER)), [logits(CUP)], motion(0.0, camera=pan), SQUARE)) == (0, 1)


def test_each_target_has_its_own():
    result = decoded(logits(CUP, OTHER), logits(CUP, OTHER), logits(CUP, OTHER))
    told = without_strays(result, [logits(CUP), logits(OTHER), None], motion(0.0, 0.0, 0.0), SQUARE)
    assert [places(told, row) for row in range(3)] == [(1, 0), (0, 1), (1, 1)]


@pytest.mark.parametrize("mask", [logits(), logits(CUP)], ids=["empty", "in one piece"])
def test_what_lies_in_one_place_stays_as_it_is(mask):
    result = decoded(mask)
    assert without_strays(result, [logits(CUP)], motion(0.0), SQUARE) is result


def test_values_that_are_not_finite_are_in_no_mask():
    mask = logits(CUP, OTHER)
    mask[0, 0, 0] = torch.nan
    assert places(without_strays(decoded(mask), [mask.nan_to_num(-8.0)], motion(0.0), SQUARE)) == (1, 1)
    assert places(without_strays(decoded(mask), [logits(CUP)], motion(0.0), SQUARE)) == (1, 0)


def test_where_its_motion_is_not_known_nothing_is_left_out():
    result = decoded(logits(CUP, OTHER))
    assert without_strays(result, [logits(CUP)], motion(None), SQUARE) is result


def test_motion_is_of_the_frame_and_not_of_its_square():
    """The same share of the diagonal is more cells along the shorter side of a wide frame."""
    rows, columns = CUP
    below = slice(rows.stop + 4, rows.stop + 20), columns
    result = decoded(logits(CUP, below))
    assert without_strays(result, [logits(CUP)], motion(0.1), (360, 1440)) is result
    assert without_strays(result, [logits(CUP)], motion(0.1), SQUARE) is not result


def test_what_clings_to_a_look_alike_does_not_lead_to_it():
    """A strip of it was in the last mask."""
    rows, columns = OTHER
    strip = rows, slice(columns.start, columns.start + 3)
    result = without_strays(decoded(logits(CUP, OTHER)), [logits(CUP, strip)], motion(0.02), SQUARE)
    assert places(result) == (1, 0)


def test_a_camera_that_turned_away_leaves_masks_as_they_are():
    gone = np.array([[1, 0, 3.0], [0, 1, 0]])
    result = decoded(logits(CUP, OTHER))
    assert without_strays(result, [logits(CUP)], motion(0.0, camera=gone), SQUARE) is result
