"""The last mask as a prior."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from fastsam2_ros.pruning.cues import mask_prior

from . import GRID, mask_logits, on_grid


def test_is_highest_on_the_mask_and_falls_around_it():
    prior = on_grid(mask_prior(mask_logits((4, 4)), GRID))[0]
    assert prior[4, 4] > 0.99
    assert prior[4, 5] == pytest.approx(0.5, abs=0.01)
    assert prior[5, 5] == pytest.approx(0.5, abs=0.01)
    assert prior[4, 6] < 0.01


def test_a_single_pixel_of_a_mask_is_enough_for_its_token():
    logits = mask_logits()
    logits[..., 9, 14] = 8.0
    assert on_grid(mask_prior(logits, GRID))[0, 2, 3] > 0.99


def test_reaches_as_far_as_the_target_may_have_moved():
    # Two tokens of a diagonal of 11.3, and the one that is always added: falls by a quarter with each token.
    prior = on_grid(mask_prior(mask_logits((4, 1)), GRID, displacements=[2 / 128**0.5]))[0, 4]
    assert prior[1:6].tolist() == pytest.approx([1, 0.75, 0.5, 0.25, 0], abs=0.01)


def test_moves_with_the_camera():
    camera = np.array([[1.0, 0, 2 / 8], [0, 1.0, -1 / 8]])  # two tokens to the right, one up
    prior = on_grid(mask_prior(mask_logits((4, 4)), GRID, camera))[0]
    assert divmod(int(prior.argmax()), GRID[1]) == (3, 6)


def test_a_degenerate_camera_moves_nothing():
    assert int(mask_prior(mask_logits((4, 4)), GRID, np.zeros((2, 3))).argmax()) == 4 * 8 + 4


@pytest.mark.parametrize("camera", [np.eye(2, 3), np.eye(2, 3) + 0.1])
def test_no_target(camera):
    assert mask_prior(torch.zeros(0, 1, 32, 32), GRID, camera).shape == (0, 64)


def test_one_token():
    assert mask_prior(mask_logits((0, 0)), (1, 1), displacements=[0.5]).item() > 0.99


def test_each_target_has_its_own_reach() -> None:
    both = torch.cat((mask_logits((4, 1)), mask_logits((4, 1))))
    still, fast = on_grid(mask_prior(both, GRID, displacements=[0.0, 0.5]))
    assert (still > 0.1).sum() < (fast > 0.1).sum()
