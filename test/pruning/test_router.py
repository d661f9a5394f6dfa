"""Cues, scores and the choice of tokens."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from fastsam2_ros.config import PruningConfig
from fastsam2_ros.pruning import cues
from fastsam2_ros.pruning.router import Router, best_tokens, token_count

GRID = (8, 8)
STILL = np.eye(2, 3)


def mask_logits(*cells: tuple[int, int]) -> torch.Tensor:
    """(1, 1, 32, 32): +8 on these cells of the grid, -8 elsewhere."""
    logits = torch.full((1, 1, 32, 32), -8.0)
    for row, column in cells:
        logits[..., 4 * row : 4 * row + 4, 4 * column : 4 * column + 4] = 8.0
    return logits


def on_grid(values: torch.Tensor) -> torch.Tensor:
    return values.reshape(-1, *GRID)


def test_the_prior_is_highest_on_the_mask_and_falls_around_it():
    prior = on_grid(cues.mask_prior(mask_logits((4, 4)), GRID, STILL, 0.0))[0]
    assert prior[4, 4] > 0.99
    assert 0.3 < prior[4, 5] < 0.7
    assert prior[4, 7] < 0.01


def test_the_prior_reaches_farther_for_a_fast_target():
    slow = cues.mask_prior(mask_logits((4, 4)), GRID, STILL, 0.0)
    fast = cues.mask_prior(mask_logits((4, 4)), GRID, STILL, 0.25)
    assert (fast >= slow - 1e-6).all()
    assert (fast > 0.01).sum() > (slow > 0.01).sum()


def test_the_prior_moves_with_the_camera():
    camera = np.array([[1.0, 0, 2 / 8], [0, 1.0, -1 / 8]])  # two tokens to the right, one up
    prior = on_grid(cues.mask_prior(mask_logits((4, 4)), GRID, camera, 0.0))[0]
    assert divmod(int(prior.argmax()), GRID[1]) == (3, 6)


def test_a_degenerate_camera_is_left_out():
    prior = cues.mask_prior(mask_logits((4, 4)), GRID, np.zeros((2, 3)), 0.0)
    assert int(prior.argmax()) == 4 * 8 + 4


def test_context_finds_the_odd_token():
    tokens = torch.ones(64, 16)
    tokens[20] = -1.0
    context = cues.local_context(tokens, GRID)
    assert int(context.argmax()) == 20


def test_context_of_a_uniform_frame_is_zero():
    assert torch.equal(cues.local_context(torch.ones(64, 16), GRID), torch.zeros(1, 64))


def test_appearance_finds_the_targets_tokens_and_nothing_for_an_unknown_target():
    generator = torch.Generator().manual_seed(0)
    tokens = torch.randn(64, 16, generator=generator)
    known = cues.prototype(tokens, mask_logits((2, 3)), GRID)
    looks = cues.appearance(tokens, torch.cat([known, torch.zeros(1, 16)]))
    assert int(looks[0].argmax()) == 2 * 8 + 3
    assert looks[0].max() == pytest.approx(1.0, abs=1e-5)
    assert torch.equal(looks[1], torch.zeros(64))


def test_the_prototype_of_an_empty_mask_is_zero():
    assert torch.equal(cues.prototype(torch.ones(64, 16), mask_logits(), GRID), torch.zeros(1, 16))


def test_uncertainty_is_high_where_the_mask_is_undecided():
    logits = mask_logits((1, 1))
    logits[..., 20:24, 20:24] = 0.0
    doubt = on_grid(cues.uncertainty(logits, torch.ones(1), torch.ones(64, 16), GRID))[0]
    assert doubt[5, 5] == pytest.approx(1.0, abs=1e-3)
    assert doubt[1, 1] < 0.05


def test_a_doubted_target_is_sought_where_there_is_structure():
    tokens = torch.zeros(64, 16)
    tokens[9, ::2] = 5.0
    trusted = cues.uncertainty(mask_logits(), torch.ones(1), tokens, GRID)
    doubted = cues.uncertainty(mask_logits(), torch.zeros(1), tokens, GRID)
    assert trusted[0, 9] < 0.05
    assert doubted[0, 9] == pytest.approx(1.0)


def test_cues_lie_between_zero_and_one():
    generator = torch.Generator().manual_seed(1)
    tokens = 50 * torch.randn(64, 16, generator=generator)
    logits = 50 * torch.randn(3, 1, 32, 32, generator=generator)
    score = torch.tensor([0.0, 0.5, 1.0])
    for cue in (
        cues.mask_prior(logits, GRID, STILL, 0.3),
        cues.local_context(tokens, GRID),
        cues.appearance(tokens, tokens[:3]),
        cues.uncertainty(logits, score, tokens, GRID),
    ):
        assert cue.min() >= 0
        assert cue.max() <= 1 + 1e-5


def scored(text=None, **weights) -> torch.Tensor:
    generator = torch.Generator().manual_seed(2)
    tokens, prototypes = torch.randn(64, 16, generator=generator), torch.randn(1, 16, generator=generator)
    none = dict.fromkeys(("mask_weight", "context_weight", "text_weight", "uncertainty_weight"), 0.0)
    router = Router(PruningConfig(**{**none, **weights}))
    return router.scores(router.frame_cues(tokens, GRID, prototypes, text), mask_logits((4, 4)), torch.zeros(1))


@pytest.mark.parametrize("name", ["mask_weight", "context_weight", "text_weight", "uncertainty_weight"])
def test_every_cue_counts_by_its_weight_and_can_be_switched_off(name):
    text = torch.rand(1, 64, generator=torch.Generator().manual_seed(3))
    once, twice = scored(text, **{name: 1.0}), scored(text, **{name: 2.0})
    assert torch.allclose(twice, 2 * once)
    assert once.max() > 0.5
    assert not scored(text).any()


def test_scores_are_the_sum_of_the_cues():
    text = torch.rand(1, 64, generator=torch.Generator().manual_seed(3))
    parts = scored(text, mask_weight=1.0) + scored(text, text_weight=0.3)
    assert torch.allclose(scored(text, mask_weight=1.0, text_weight=0.3), parts)


def test_a_text_without_relevance_leaves_the_other_cues():
    assert torch.equal(scored(None, mask_weight=1.0, text_weight=1.0), scored(None, mask_weight=1.0))


def test_the_best_are_kept_in_the_order_of_the_grid():
    scores = torch.zeros(2, 10)
    scores[0, [7, 2, 5]] = torch.tensor([3.0, 2.0, 1.0])
    scores[1, [9, 0, 1]] = 1.0
    kept = best_tokens(scores, 0.3)
    assert kept[0].tolist() == [2, 5, 7]
    assert kept[1].tolist() == [0, 1, 9]


def test_equal_scores_always_give_the_same_tokens():
    kept = best_tokens(torch.ones(1, 100), 0.3)
    assert kept[0].tolist() == list(range(30))


def test_all_tokens_are_none():
    assert best_tokens(torch.rand(3, 10), 1.0) == [None, None, None]


def test_a_single_token_and_no_target():
    assert best_tokens(torch.rand(1, 1), 0.3) == [None]
    assert best_tokens(torch.rand(0, 10), 0.3) == []


@pytest.mark.parametrize(
    ("ratio", "total", "count"), [(1.0, 256, 256), (0.3, 256, 77), (0.001, 256, 1), (0.5, 1, 1), (0.999, 10, 10)]
)
def test_token_count(ratio, total, count):
    assert token_count(ratio, total) == count
