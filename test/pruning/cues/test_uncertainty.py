"""Where the last mask was undecided, and how little it is trusted."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from fastsam2_ros.pruning.cues import uncertainty

from . import GRID, mask_logits, on_grid

FLAT = torch.ones(64, 16)
TRUSTED, DOUBTED = torch.ones(1), torch.zeros(1)


def undecided() -> torch.Tensor:
    logits = mask_logits((1, 1))
    logits[..., 20:24, 20:24] = 0.0
    return logits


def structured() -> torch.Tensor:
    tokens = torch.zeros(64, 16)
    tokens[9, ::2] = 5.0
    return tokens


def test_is_one_bit_where_the_mask_is_undecided_and_none_where_it_is_not():
    doubt = on_grid(uncertainty(undecided(), TRUSTED, FLAT, GRID))[0]
    assert doubt[5, 5] == pytest.approx(1.0, abs=1e-3)
    assert doubt[1, 1] < 0.05


def test_moves_with_the_camera():
    camera = np.array([[1.0, 0, 2 / 8], [0, 1.0, -1 / 8]])  # two tokens to the right, one up
    doubt = on_grid(uncertainty(undecided(), TRUSTED, FLAT, GRID, camera))[0]
    assert divmod(int(doubt.argmax()), GRID[1]) == (4, 7)


def test_a_doubted_target_is_sought_where_there_is_structure():
    assert uncertainty(mask_logits(), TRUSTED, structured(), GRID)[0, 9] < 0.05
    assert uncertainty(mask_logits(), DOUBTED, structured(), GRID)[0, 9] == pytest.approx(1.0)
    assert uncertainty(mask_logits(), DOUBTED, structured(), GRID)[0, 10] < 0.05


def test_half_a_doubt_counts_half():
    half = uncertainty(mask_logits(), torch.tensor([0.5]), structured(), GRID)
    assert half[0, 9] == pytest.approx(0.5)


def test_no_target():
    assert uncertainty(torch.zeros(0, 1, 32, 32), torch.zeros(0), FLAT, GRID).shape == (0, 64)
