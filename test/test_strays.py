from __future__ import annotations

import numpy as np
import pytest
import torch
from sam2.modeling.sam2_base import NO_OBJ_SCORE

from fastsam2_ros.pruning.motion import Motion
from fastsam2_ros.strays import WHOLE, without_strays
from fastsam2_ros.streaming.values import Decoded
from fastsam2_ros.streaming.warp import STILL

CUP, OTHER = (slice(20, 40), slice(10, 26)), (slice(20, 40), slice(34, 50))
SIDE = 64


def logits(*places):
    mask = torch.full((1, SIDE, SIDE), -8.0)
    for rows, columns in places:
        mask[0, rows, columns] = 8.0
    return mask


def decoded(*masks):
    low = torch.stack(masks)
    high = torch.nn.functional.interpolate(low, scale_factor=4, mode="nearest")
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
    result = without_strays(before, [logits(CUP)], motion(0.0))
    assert places(result) == (1, 0)
    high = result.high_res[0, 0]
    assert (high[80:160, 40:104] > 0).all()
    assert (high[80:160, 136:200] == NO_OBJ_SCORE).all()
    assert places(before) == (1, 1)  # which others may hold


def test_a_target_that_left_the_place_where_it_was_is_kept():
    result = decoded(logits(OTHER))
    assert without_strays(result, [logits(CUP)], motion(0.0)) is result


def test_a_target_that_comes_out_on_both_sides_of_what_covers_it_is_kept():
    """It lies in two places, and less of it than was where it was."""
    rows, columns = CUP
    share = round((columns.stop - columns.start) * (WHOLE - 0.1))
    left = rows, slice(columns.start, columns.start + share)
    result = decoded(logits(left, OTHER))
    assert without_strays(result, [logits(CUP)], motion(0.0)) is result


def test_nothing_is_left_out_of_one_that_was_not_seen_for_certain():
    result = decoded(logits(CUP, OTHER))
    assert without_strays(result, [None], motion(0.0)) is result


def test_a_part_that_its_motion_brings_it_to_is_its_own():
    """Twelve cells of 64 in a frame: .13 of the diagonal."""
    rows, columns = CUP
    beside = rows, slice(columns.stop + 2, columns.stop + 10)
    result = decoded(logits(CUP, beside))
    assert without_strays(result, [logits(CUP)], motion(0.13)) is result
    assert not (without_strays(result, [logits(CUP)], motion(0.0)).low_res[0, 0][beside] > 0).any()


def test_the_cameras_motion_is_taken_out():
    """By 24 cells of 64 to the right: where the cup was, the other is now."""
    pan = np.array([[1, 0, 24 / SIDE], [0, 1, 0]])
    assert places(without_strays(decoded(logits(CUP, OTHER)), [logits(CUP)], motion(0.0, camera=pan))) == (0, 1)


def test_each_target_has_its_own():
    result = decoded(logits(CUP, OTHER), logits(CUP, OTHER), logits(CUP, OTHER))
    told = without_strays(result, [logits(CUP), logits(OTHER), None], motion(0.0, None, 0.0))
    assert [places(told, row) for row in range(3)] == [(1, 0), (0, 1), (1, 1)]


@pytest.mark.parametrize("mask", [logits(), logits(CUP)], ids=["empty", "in one piece"])
def test_what_lies_in_one_place_stays_as_it_is(mask):
    result = decoded(mask)
    assert without_strays(result, [logits(CUP)], motion(0.0)) is result


def test_values_that_are_not_finite_are_in_no_mask():
    mask = logits(CUP, OTHER)
    mask[0, 0, 0] = torch.nan
    assert places(without_strays(decoded(mask), [mask.nan_to_num(-8.0)], motion(0.0))) == (1, 1)
    assert places(without_strays(decoded(mask), [logits(CUP)], motion(0.0))) == (1, 0)
