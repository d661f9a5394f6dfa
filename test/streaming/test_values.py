"""Masks at a frame's size."""

from __future__ import annotations

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from fastsam2_ros.streaming.values import masks_at

SIZE = (90, 160)


def logits(targets: int) -> torch.Tensor:
    return F.avg_pool2d(torch.randn(targets, 1, 32, 32, generator=torch.Generator().manual_seed(0)), 5, 1, 2)


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
