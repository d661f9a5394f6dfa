"""The target's own remembered look."""

from __future__ import annotations

import pytest
import torch

from fastsam2_ros.pruning.cues import appearance, prototype

from . import GRID, mask_logits, noise_tokens


def test_finds_the_targets_token():
    tokens = noise_tokens()
    looks = appearance(tokens, prototype(tokens, mask_logits((2, 3)), GRID))[0]
    assert int(looks.argmax()) == 2 * 8 + 3
    assert looks[19] == pytest.approx(1.0, abs=1e-5)


def test_what_all_tokens_share_is_no_likeness():
    tokens = noise_tokens() + 100.0
    looks = appearance(tokens, prototype(tokens, mask_logits((2, 3)), GRID))[0]
    assert looks[19] == pytest.approx(1.0, abs=1e-3)
    assert looks.median() < 0.3


def test_a_target_whose_looks_are_not_known_is_like_nothing():
    assert torch.equal(appearance(noise_tokens(), torch.zeros(1, 16)), torch.zeros(1, 64))


def test_the_prototype_is_the_mean_of_the_masks_tokens():
    tokens = noise_tokens()
    mean = prototype(tokens, mask_logits((0, 1), (0, 2)), GRID)
    assert torch.allclose(mean[0], (tokens[1] + tokens[2]) / 2)


def test_the_prototype_of_an_empty_mask_is_zero():
    assert torch.equal(prototype(torch.ones(64, 16), mask_logits(), GRID), torch.zeros(1, 16))


def test_no_target():
    tokens = noise_tokens()
    nothing = prototype(tokens, torch.zeros(0, 1, 32, 32), GRID)
    assert appearance(tokens, nothing).shape == (0, 64)
