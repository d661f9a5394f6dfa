"""Relevance to the text."""

from __future__ import annotations

import torch

from fastsam2_ros.pruning.cues import text_relevance

from . import noise_tokens


def test_relevance_stays_as_it_is():
    relevance = torch.rand(2, 64)
    assert torch.equal(text_relevance(relevance, 2, noise_tokens()), relevance)


def test_a_text_with_no_match_raises_no_token():
    """Not stretched over the frame: the least bad token must not look like a match."""
    assert text_relevance(torch.linspace(0, 0.01, 64)[None], 1, noise_tokens()).max() <= 0.01


def test_no_text_is_no_relevance():
    assert torch.equal(text_relevance(None, 3, noise_tokens()), torch.zeros(3, 64))


def test_what_is_not_finite_counts_as_none():
    relevance = torch.full((1, 64), float("nan"))
    assert torch.equal(text_relevance(relevance, 1, noise_tokens()), torch.zeros(1, 64))
