"""Masks at a frame's size."""

from __future__ import annotations

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from fastsam2_ros.streaming.values import masks_at

SIZE = (90, 160)


def logits(targets: int) -> torch.Tensor:
    """Of large parts."""
    return F.interpolate(
        torch.randn(targets, 1, 4, 4, generator=torch.Generator().manual_seed(0)), (32, 32), mode="bilinear"
    )


def upsampled(low_res: torch.Tensor) -> torch.Tensor:
    return F.interpolate(low_res, SIZE, mode="bilinear", align_corners=False)[:, 0]


def test_a_mask_is_where_its_upsampled_logits_are_above_zero():
    (mask,) = masks_at(logits(1), SIZE)
    large = upsampled(logits(1))[0]
    certain = large.abs() > 1e-5  # of the rest, rounding decides
    assert torch.equal(torch.from_numpy(mask)[certain], large[certain] > 0)


@pytest.mark.parametrize("size", [(90, 160), (45, 61), (96, 128), (20, 24)])
@pytest.mark.parametrize("place", [(0, 0), (13, 9), (29, 30), (17, 0)])
def test_a_small_mask_is_the_same_wherever_it_is(place, size):
    """Only what is round it is upsampled."""
    low_res = torch.full((1, 1, 32, 32), -4.0) - torch.rand(1, 1, 32, 32, generator=torch.Generator().manual_seed(1))
    row, column = place
    low_res[..., row : row + 3, column : column + 2] = 7.0
    (mask,) = masks_at(low_res, size)
    large = F.interpolate(low_res, size, mode="bilinear", align_corners=False)[0, 0]
    certain = large.abs() > 1e-5
    assert mask.any()
    assert torch.equal(torch.from_numpy(mask)[certain], large[certain] > 0)


def test_a_pixel_is_the_targets_whose_logit_is_highest():
    masks, large = masks_at(logits(3), SIZE), upsampled(logits(3)).numpy()
    assert masks.sum(0).max() == 1
    assert np.array_equal(masks.any(0), (large > 0).any(0))
    rows, ys, xs = masks.nonzero()
    assert (large[rows, ys, xs] >= large.max(0)[ys, xs] - 1e-5).all()


def test_of_equal_masks_the_first_has_all():
    masks = masks_at(logits(1).repeat(2, 1, 1, 1), SIZE)
    assert masks[0].any()
    assert not masks[1].any()


def test_there_are_as_many_masks_as_targets():
    assert masks_at(torch.zeros(0, 1, 8, 8), SIZE).shape == (0, *SIZE)


def test_one_logit_that_is_no_number_costs_no_other_pixel():
    logits = torch.full((1, 1, 8, 8), -5.0)
    logits[..., 2:6, 2:6] = 5.0
    expected = masks_at(logits, (16, 16))
    logits[..., 0, 7] = torch.nan
    assert np.array_equal(masks_at(logits, (16, 16)), expected)


def parts(*sides: int) -> torch.Tensor:
    """Logits (1, 1, 64, 64) of squares with these sides that do not touch, each in a quarter of its own."""
    logits = torch.full((1, 1, 64, 64), -5.0)
    for place, side in enumerate(sides):
        top, left = 32 * (place // 2) + 2, 32 * (place % 2) + 2
        logits[..., top : top + side, left : left + side] = 5.0
    return logits


def test_parts_below_a_fiftieth_of_the_largest_are_left_out():
    """20 x 20 is 400: of that 2 x 2 is less than .02, and 3 x 3 is not."""
    assert np.array_equal(masks_at(parts(20, 2), (64, 64)), masks_at(parts(20), (64, 64)))
    (kept,) = masks_at(parts(20, 3), (64, 64))
    assert kept[3, 35]


def test_of_specks_alone_each_stays():
    (mask,) = masks_at(parts(1, 1, 1), (64, 64))
    assert mask[[2, 2, 34], [2, 34, 2]].all()
