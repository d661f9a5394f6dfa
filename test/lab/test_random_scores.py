"""The baseline of every router."""

from __future__ import annotations

import torch

from fastsam2_ros.lab.random_scores import RandomScores

BLANK = torch.zeros(3, 5, 64)


def test_random_scores_are_the_same_from_the_same_seed_and_new_each_time():
    one, same, other = RandomScores(1), RandomScores(1), RandomScores(2)
    first = one(BLANK)
    assert first.shape == (3, 64)
    assert torch.equal(first, same(BLANK))
    assert not torch.equal(first, one(BLANK))
    assert not torch.equal(first, other(BLANK))


def test_random_scores_know_nothing_of_the_cues():
    assert torch.equal(RandomScores()(BLANK), RandomScores()(BLANK + 1))
