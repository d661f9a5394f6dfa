"""Local visual context."""

from __future__ import annotations

import pytest
import torch

from fastsam2_ros.pruning.cues import local_context

from . import GRID, on_grid


def test_the_odd_token_stands_out_most():
    tokens = torch.ones(64, 16)
    tokens[20, :8] = -1.0
    context = local_context(tokens, GRID)[0]
    assert int(context.argmax()) == 20
    assert context[20] == pytest.approx(1.0)


def test_an_edge_counts_on_both_of_its_sides():
    tokens = torch.ones(8, 8, 16)
    tokens[:, 4:, :8] = -1.0
    context = on_grid(local_context(tokens.reshape(64, 16), GRID))[0]
    assert context[:, 3:5].min() > 0.9
    assert context[:, :3].max() < 0.01
    assert context[:, 5:].max() < 0.01


def test_even_texture_has_edges_alone():
    """On a chequerboard of two directions all contrasts are near one another; in plain surroundings edges stay."""
    tokens = torch.ones(8, 8, 16)
    tokens[2:6, 2:6][[0, 0, 1, 1, 2, 2, 3, 3], [0, 2, 1, 3, 0, 2, 1, 3], :8] = -1.0
    context = on_grid(local_context(tokens.reshape(64, 16), GRID))[0]
    assert context[3:5, 3:5].min() > 0.6
    assert context[0].max() < 0.01


def test_length_of_a_token_does_not_matter():
    tokens = torch.randn(64, 16, generator=torch.Generator().manual_seed(0))
    lengths = 1 + torch.rand(64, 1, generator=torch.Generator().manual_seed(1))
    assert torch.allclose(local_context(tokens, GRID), local_context(lengths * tokens, GRID), atol=1e-4)


def test_a_uniform_frame_has_none():
    assert torch.equal(local_context(torch.ones(64, 16), GRID), torch.zeros(1, 64))


def test_one_token():
    assert torch.equal(local_context(torch.ones(1, 16), (1, 1)), torch.zeros(1, 1))
