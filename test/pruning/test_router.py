"""Maps of the cues, scores and the choice of tokens."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from fastsam2_ros.config import PruningConfig
from fastsam2_ros.pruning import cues
from fastsam2_ros.pruning.cues import CUES
from fastsam2_ros.pruning.router import Router, WeightedSum, best_tokens

from .cues import GRID, mask_logits, noise_tokens

TOKENS = noise_tokens(2)
PROTOTYPES = noise_tokens(3)[:2]
TEXT = torch.rand(2, 64, generator=torch.Generator().manual_seed(3))
MASKS = torch.cat([mask_logits((4, 4)), mask_logits((1, 2), (1, 3))])
TRUST = torch.tensor([0.2, 0.9])
CAMERA = np.array([[1.0, 0, 1 / 8], [0, 1.0, 0]])
OFF = {f"{name}_weight": 0.0 for name in CUES}
ALL_ON = PruningConfig(**{f"{name}_weight": 0.5 for name in CUES})


def maps(config: PruningConfig, text: torch.Tensor | None = TEXT) -> torch.Tensor:
    routing = Router(WeightedSum(config))
    frame = routing.frame_cues(TOKENS, GRID, PROTOTYPES, text)
    return routing.cue_maps(frame, MASKS, TRUST, CAMERA, [0.1, 0.1])


def scored(text: torch.Tensor | None = TEXT, **weights: float) -> torch.Tensor:
    routing = Router(WeightedSum(PruningConfig(**{**OFF, **weights})))
    frame = routing.frame_cues(TOKENS, GRID, PROTOTYPES, text)
    return routing.scorer(routing.cue_maps(frame, MASKS, TRUST, CAMERA, [0.1, 0.1]))


def test_maps_are_the_cues_in_the_order_of_their_names():
    stacked = maps(ALL_ON)
    expected = {
        "mask": cues.mask_prior(MASKS, GRID, CAMERA, [0.1, 0.1]),
        "context": cues.local_context(TOKENS, GRID).expand(2, -1),
        "appearance": cues.appearance(TOKENS, PROTOTYPES),
        "text": TEXT,
        "uncertainty": cues.uncertainty(MASKS, TRUST, TOKENS, GRID, CAMERA),
    }
    assert stacked.shape == (2, len(CUES), 64)
    for index, name in enumerate(CUES):
        assert torch.equal(stacked[:, index], expected[name]), name


def test_maps_lie_between_zero_and_one():
    wild = Router(WeightedSum(PruningConfig()))
    masks = 50 * torch.randn(2, 1, 32, 32, generator=torch.Generator().manual_seed(1))
    stacked = wild.cue_maps(wild.frame_cues(50 * TOKENS, GRID, PROTOTYPES, TEXT), masks, TRUST, CAMERA, [0.3, 0.3])
    assert stacked.min() >= 0
    assert stacked.max() <= 1 + 1e-5


@pytest.mark.parametrize("name", CUES)
def test_a_weight_of_zero_switches_one_cue_off(name):
    whole, without = maps(ALL_ON), maps(replace(ALL_ON, **{f"{name}_weight": 0.0}))
    index = CUES.index(name)
    assert whole[:, index].max() > 0.1
    assert not without[:, index].any()
    others = [i for i in range(len(CUES)) if i != index]
    assert torch.equal(whole[:, others], without[:, others])


@pytest.mark.parametrize("name", ["mask_prior", "local_context", "appearance", "uncertainty"])
def test_what_is_switched_off_is_not_computed(name, monkeypatch):
    monkeypatch.setattr(cues, name, None)
    assert not maps(PruningConfig(**OFF)).any()
    with pytest.raises(TypeError):
        maps(ALL_ON)


@pytest.mark.parametrize("name", CUES)
def test_every_cue_counts_by_its_weight(name):
    once, twice = scored(**{f"{name}_weight": 1.0}), scored(**{f"{name}_weight": 2.0})
    assert once.max() > 0.1
    assert torch.allclose(twice, 2 * once)


def test_the_sum_adds_the_cues():
    parts = scored(mask_weight=1.0) + scored(text_weight=0.3)
    assert torch.allclose(scored(mask_weight=1.0, text_weight=0.3), parts)


def test_without_a_text_the_other_cues_are_left():
    assert torch.equal(scored(None, mask_weight=1.0, text_weight=1.0), scored(mask_weight=1.0))


def test_a_text_with_no_match_leaves_the_other_cues():
    assert torch.equal(scored(torch.zeros(2, 64), mask_weight=1.0, text_weight=1.0), scored(mask_weight=1.0))


def test_no_target_has_no_scores():
    routing = Router(WeightedSum(PruningConfig()))
    frame = routing.frame_cues(TOKENS, GRID, torch.zeros(0, 16), None)
    assert routing.scores(frame, torch.zeros(0, 1, 32, 32), torch.zeros(0)).shape == (0, 64)


def test_one_token_has_a_score():
    routing = Router(WeightedSum(PruningConfig()))
    frame = routing.frame_cues(TOKENS[:1], (1, 1), PROTOTYPES[:1], None)
    assert routing.scores(frame, mask_logits((0, 0)), torch.ones(1)).shape == (1, 1)


@pytest.mark.parametrize("config", [ALL_ON, PruningConfig(), PruningConfig(**OFF)])
def test_a_cue_contributes_what_the_scores_lose_without_it(config):
    routing = Router(WeightedSum(config))
    stacked = routing.cue_maps(routing.frame_cues(TOKENS, GRID, PROTOTYPES, TEXT), MASKS, TRUST, CAMERA, [0.1, 0.1])
    added = routing.contributions(stacked)
    assert added.shape == (len(routing.on), 2, 64)
    for name, each in zip(routing.on, added, strict=True):
        alone = PruningConfig(**{**OFF, f"{name}_weight": getattr(config, f"{name}_weight")})
        assert torch.allclose(each, WeightedSum(alone)(stacked), atol=1e-6)


def test_the_best_are_kept_in_the_order_of_the_grid():
    scores = torch.zeros(10)
    scores[[7, 2, 5]] = torch.tensor([3.0, 2.0, 1.0])
    assert best_tokens(scores, 0.3).tolist() == [2, 5, 7]


def test_equal_scores_always_give_the_same_tokens():
    kept = best_tokens(torch.ones(100), 0.3)
    assert kept.tolist() == best_tokens(torch.zeros(100), 0.3).tolist()
    assert {token // 10 for token in kept.tolist()} == set(range(10))


@pytest.mark.parametrize(("total", "share"), [(10, 1.0), (1, 0.3)])
def test_all_tokens_are_none(total, share):
    assert best_tokens(torch.rand(total), share) is None
