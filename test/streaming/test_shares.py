"""How many tokens a keep ratio and a memory ratio are, and which tokens are kept first."""

from __future__ import annotations

import pytest
import torch

from fastsam2_ros.streaming.shares import TokenShares, best_first, memory_ratio_for, token_count

RATIOS = (0.01, 0.05, 0.1, 0.15, 0.2, 0.3, 0.5, 0.7, 0.9, 1.0)
FRAMES = 7


def of_all(shares: TokenShares, frames: int = FRAMES) -> float:
    """Share of all memory tokens."""
    return (2 * shares.ends + (frames - 2) * shares.middle) / frames


@pytest.mark.parametrize("ratio", RATIOS)
def test_the_keep_ratio_is_the_share_of_the_frames_tokens(ratio):
    assert TokenShares.of(ratio, FRAMES).queries == ratio
    assert TokenShares.of(ratio, FRAMES, 0.4).queries == ratio


@pytest.mark.parametrize(
    ("keep_ratio", "memory"),
    [(1.0, 1.0), (0.253, 0.63247), (0.16432, 0.54772), (0.15, 0.26667), (0.1, 0.17778), (0.05, 0.08889)],
)
def test_memory_goes_with_the_keep_ratio(keep_ratio, memory):
    """The cube root; in proportion up to .15."""
    assert memory_ratio_for(keep_ratio) == pytest.approx(memory, abs=1e-5)


def test_more_of_the_frame_never_goes_with_less_memory():
    ratios = [memory_ratio_for(keep / 100) for keep in range(1, 101)]
    assert ratios == sorted(ratios)


@pytest.mark.parametrize(
    ("memory", "ends", "middle"),
    [(0.5, 0.5, 0.5), (0.3, 0.3, 0.3), (0.2, 0.3, 0.16), (0.1, 0.3, 0.02), (0.01, 0.01, 0.01)],
)
def test_every_frame_keeps_the_same_but_for_the_ends_least_share(memory, ends, middle):
    shares = TokenShares.of(0.5, FRAMES, memory)
    assert shares.ends == pytest.approx(ends)
    assert shares.middle == pytest.approx(middle)


@pytest.mark.parametrize("memory", RATIOS)
@pytest.mark.parametrize("frames", [2, 3, 4, 7])
def test_the_memory_ratio_is_the_share_of_all_memory(memory, frames):
    shares = TokenShares.of(0.5, frames, memory)
    assert of_all(shares, frames) == pytest.approx(memory)
    assert 0 < shares.middle <= shares.ends <= 1


def test_one_is_dense():
    assert TokenShares.of(1.0, FRAMES) == TokenShares(1.0, 1.0, 1.0)


@pytest.mark.parametrize(
    ("share", "total", "count"), [(1.0, 9, 9), (0.3, 256, 77), (1e-9, 256, 1), (0.0, 4, 1), (0.5, 1, 1)]
)
def test_token_count(share, total, count):
    assert token_count(share, total) == count


def test_the_best_are_first():
    scores = torch.rand(3, 64, generator=torch.Generator().manual_seed(0))
    assert torch.equal(best_first(scores), scores.argsort(dim=1, descending=True))
    assert torch.equal(best_first(scores[0]), best_first(scores)[0])


@pytest.mark.parametrize("side", [16, 32, 64])
@pytest.mark.parametrize("share", [0.05, 0.1, 0.3])
def test_tokens_of_one_score_are_spread_over_the_frame(side, share):
    kept = best_first(torch.zeros(side * side))[: token_count(share, side * side)]
    places = torch.stack([kept // side, kept % side], dim=1).double()
    everywhere = torch.cartesian_prod(torch.arange(side), torch.arange(side)).double()
    farthest = torch.cdist(everywhere, places).min(dim=1).values.max()
    assert farthest <= 1.4 / share**0.5  # of a square lattice: .7


def test_what_is_better_comes_before_what_is_spread():
    scores = torch.zeros(64)
    scores[[5, 40]] = torch.tensor([1.0, 2.0])
    ranking = best_first(scores)
    assert ranking[:2].tolist() == [40, 5]
    assert sorted(ranking.tolist()) == list(range(64))
