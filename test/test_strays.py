from __future__ import annotations

import numpy as np
import pytest
import torch

from fastsam2_ros.config import PruningConfig
from fastsam2_ros.pruning.budget import Budget
from fastsam2_ros.pruning.state import SETTLING_FRAMES, PruningState
from fastsam2_ros.strays import GROWTH, WHOLE, whole_size, without_strays
from fastsam2_ros.streaming.values import Decoded
from fastsam2_ros.streaming.warp import STILL

CUP, OTHER = (slice(20, 40), slice(10, 26)), (slice(20, 40), slice(34, 50))
SIDE = 64
SIZE = 20 * 16 / SIDE**2
"""Of the cup."""


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


def state(mask, whole=SIZE, since_found=9):
    """Of a target whose mask in the last frame was this."""
    return PruningState(Budget(PruningConfig()), mask=mask, whole=whole, since_found=since_found)


def places(result, row=0):
    """Shares of the cup and of the other that are in the mask."""
    inside = result.low_res[row, 0] > 0
    return tuple(float(inside[where].float().mean()) for where in (CUP, OTHER))


def test_a_look_alike_that_the_mask_spreads_to_is_left_out():
    before = decoded(logits(CUP, OTHER))
    result = without_strays(before, [state(logits(CUP))], STILL)
    assert places(result) == (1, 0)
    assert torch.equal(result.high_res > 0, decoded(logits(CUP)).high_res > 0)  # no ring of it is left
    assert places(before) == (1, 1)  # which others may hold


def test_so_it_is_once_things_that_passed_before_one_another_part():
    """The last mask lay on both, mostly on the cup."""
    rows, columns = OTHER
    half = rows, slice(columns.start, columns.start + 8)
    result = without_strays(decoded(logits(CUP, OTHER)), [state(logits(CUP, half))], STILL)
    assert places(result) == (1, 0)


def test_a_target_that_left_the_place_where_it_was_is_kept():
    result = decoded(logits(OTHER))
    assert without_strays(result, [state(logits(CUP))], STILL).low_res is result.low_res


def test_where_nothing_is_left_where_it_was_nothing_is_left_out():
    elsewhere = slice(20, 40), slice(55, 63)
    result = decoded(logits(OTHER, elsewhere))
    assert without_strays(result, [state(logits(CUP))], STILL).low_res is result.low_res


def test_a_target_that_comes_out_on_both_sides_of_what_covers_it_is_kept():
    """It lies in two places, and is whole in neither."""
    rows, columns = CUP
    share = round((columns.stop - columns.start) * (WHOLE - 0.1))
    left = rows, slice(columns.start, columns.start + share)
    result = decoded(logits(left, OTHER))
    assert without_strays(result, [state(logits(CUP))], STILL).low_res is result.low_res


@pytest.mark.parametrize(
    "before",
    [state(None), state(logits()), state(logits(CUP), whole=0.0), state(logits(CUP), since_found=SETTLING_FRAMES - 1)],
)
def test_nothing_is_left_out_of_what_was_not_seen_or_whose_size_is_not_known(before):
    result = decoded(logits(CUP, OTHER))
    assert without_strays(result, [before], STILL).low_res is result.low_res


def test_a_sliver_beside_a_crack_is_the_targets():
    large, sliver = (slice(10, 50), slice(5, 45)), (slice(10, 50), slice(46, 48))
    result = decoded(logits(large, sliver))
    assert without_strays(result, [state(logits(large), whole=1600 / SIDE**2)], STILL).low_res is result.low_res


def test_the_cameras_motion_is_taken_out():
    """By 24 cells of 64 to the right: where the cup was, the other is now."""
    pan = np.array([[1, 0, 24 / SIDE], [0, 1, 0]])
    assert places(without_strays(decoded(logits(CUP, OTHER)), [state(logits(CUP))], pan)) == (0, 1)


def test_each_target_has_its_own():
    result = decoded(logits(CUP, OTHER), logits(CUP, OTHER), logits(CUP, OTHER))
    told = without_strays(result, [state(logits(CUP)), state(logits(OTHER)), state(None)], STILL)
    assert [places(told, row) for row in range(3)] == [(1, 0), (0, 1), (1, 1)]


@pytest.mark.parametrize("mask", [logits(), logits(CUP)], ids=["empty", "in one piece"])
def test_what_lies_in_one_place_stays_as_it_is(mask):
    result = decoded(mask)
    assert without_strays(result, [state(logits(CUP))], STILL).low_res is result.low_res


def test_values_that_are_not_finite_are_in_no_mask():
    mask = logits(CUP, OTHER)
    mask[0, 0, 0] = torch.nan
    assert places(without_strays(decoded(mask), [state(logits(CUP))], STILL)) == (1, 0)


def test_a_target_is_as_large_as_where_it_was_last_in_one_place():
    assert whole_size(logits(CUP), state(None, 0.9 * SIZE), 1.0) == pytest.approx(SIZE)
    assert whole_size(logits(CUP), state(None, 1.1 * SIZE), 1.0) == pytest.approx(SIZE)
    assert whole_size(logits(CUP, OTHER), state(None, 0.07), 1.0) == 0.07
    assert whole_size(logits(), state(None, 0.07), 1.0) == 0.07


def test_what_shrinks_at_once_is_being_covered():
    assert whole_size(logits(CUP), state(None, 8 * SIZE), 0.5) == pytest.approx(8 * SIZE / GROWTH**0.5)


def test_what_grows_at_once_has_run_into_another_thing():
    assert whole_size(logits(CUP), state(None, SIZE / 8), 1.0) == pytest.approx(SIZE / 8 * GROWTH)
    assert whole_size(logits(CUP), state(None, SIZE / 8), 0.5) == pytest.approx(SIZE / 8 * GROWTH**0.5)


@pytest.mark.parametrize("since_found", [1, 9])
def test_after_an_empty_prompt_it_is_as_large_as_it_is_seen(since_found):
    assert whole_size(logits(CUP), state(None, 0.0, since_found), 0.03) == pytest.approx(SIZE)


def test_after_a_prompt_of_a_part_it_is_as_large_as_it_is_seen():
    assert whole_size(logits(CUP), state(None, SIZE / 8, since_found=1), 0.03) == pytest.approx(SIZE)


@pytest.mark.parametrize("width", [4, 8, 12, 16])
def test_a_target_that_passes_behind_a_pole_is_never_cut(width):
    """24 cells wide, one cell a frame, 30 frames a second."""
    each = state(logits((slice(10, 50), slice(0, 24))), whole=24 * 40 / SIDE**2)
    pole = slice(30, 30 + width)
    for left in range(1, 40):
        mask = logits((slice(10, 50), slice(left, left + 24)))
        mask[0, :, pole] = -8.0
        result = without_strays(decoded(mask), [each], STILL)
        assert torch.equal(result.low_res[0], mask)
        each.mask, each.whole = mask, whole_size(mask, each, 1 / 30)


def test_a_target_that_a_line_splits_is_not_cut():
    rows, columns = CUP
    mask = logits(CUP)
    mask[0, rows.stop - 4, columns] = -8.0
    assert torch.equal(without_strays(decoded(mask), [state(logits(CUP))], STILL).low_res[0], mask)
