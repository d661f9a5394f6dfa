"""What stands in for tokens that are left out, on tiny tensors."""

from __future__ import annotations

import numpy as np
import torch

from fastsam2_ros.streaming.fill import fill
from fastsam2_ros.streaming.warp import STILL

GRID = (3, 4)
KEPT = torch.tensor([1, 6, 11])
OTHERS = [n for n in range(12) if n not in KEPT]
OUTPUT, BEFORE = torch.randn(15, 8, generator=torch.Generator().manual_seed(0)).split((3, 12))


def moved(x, y):
    camera = np.array([[1.0, 0, x / GRID[1]], [0, 1.0, y / GRID[0]]])  # from tokens to shares of the frame
    return fill(OUTPUT, KEPT, BEFORE, GRID, camera)


def test_conditioned_tokens_stay_as_they_are():
    assert torch.equal(moved(1, 0)[KEPT], OUTPUT)


def test_others_keep_what_was_there_in_the_last_frame():
    assert torch.equal(fill(OUTPUT, KEPT, BEFORE, GRID, STILL)[OTHERS], BEFORE[OTHERS])


def test_that_goes_with_the_camera():
    """The background goes one token to the right: what was left of a place is there now; the left edge stays."""
    whole = moved(1, 0)
    assert (whole[2] - BEFORE[1]).abs().max() <= 1e-4
    assert (whole[7] - BEFORE[6]).abs().max() <= 1e-4
    assert (whole[0] - BEFORE[0]).abs().max() <= 1e-4


def test_it_goes_down_too():
    assert (moved(0, 1)[4] - BEFORE[0]).abs().max() <= 1e-4


def test_the_type_is_that_of_the_conditioned_tokens():
    assert fill(OUTPUT.bfloat16(), KEPT, BEFORE, GRID, STILL).dtype == torch.bfloat16
