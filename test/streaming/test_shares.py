"""What a keep ratio means, and which tokens are kept first."""

from __future__ import annotations

import pytest
import torch

from fastsam2_ros.streaming.shares import (
    BALANCED,
    ENDS,
    EVEN,
    POOLED,
    QUERY_FLOOR,
    Shares,
    best_first,
    ratio_for,
    token_count,
)

RATIOS = (0.01, 0.05, 0.1, 0.2, 0.3, 0.5, 0.7, 0.9, 1.0)
FRAMES = 7


def of_all(shares: Shares, frames: int = FRAMES) -> float:
    """Share of all memory tokens."""
    return (2 * shares.ends + (frames - 2) * shares.middle) / frames


@pytest.mark.parametrize(
    ("ratio", "ends", "middle"),
    [(1.0, 1.0, 1.0), (0.5, 1.0, 0.3), (0.3, 1.0, 0.02), (0.1, 0.3, 0.02), (0.01, 0.01, 0.01)],
)
def test_the_ends_are_kept_first(ratio, ends, middle):
    shares = Shares.of(ratio, FRAMES, keys=ENDS)
    assert shares.ends == pytest.approx(ends)
    assert shares.middle == pytest.approx(middle)


@pytest.mark.parametrize(
    ("ratio", "ends", "middle"),
    [(0.5, 0.5, 0.5), (0.3, 0.3, 0.3), (0.2, 0.3, 0.16), (0.1, 0.3, 0.02), (0.01, 0.01, 0.01)],
)
def test_balanced_is_even_but_for_the_ends_least_share(ratio, ends, middle):
    shares = Shares.of(ratio, FRAMES)
    assert shares.ends == pytest.approx(ends)
    assert shares.middle == pytest.approx(middle)


@pytest.mark.parametrize("ratio", RATIOS)
@pytest.mark.parametrize("keys", [BALANCED, ENDS, EVEN, POOLED])
@pytest.mark.parametrize("frames", [2, 3, 4, 7])
def test_keys_cost_what_the_ratio_says(ratio, keys, frames):
    shares = Shares.of(ratio, frames, keys=keys)
    assert of_all(shares, frames) == pytest.approx(ratio)
    assert 0 < shares.middle <= shares.ends <= 1
    assert shares.pooled == (keys == POOLED)


@pytest.mark.parametrize("ratio", RATIOS)
def test_even_is_the_same_in_every_frame(ratio):
    shares = Shares.of(ratio, FRAMES, keys=EVEN)
    assert shares.ends == shares.middle == pytest.approx(ratio)


@pytest.mark.parametrize("ratio", RATIOS)
@pytest.mark.parametrize("exponent", [0.0, 0.5, 1.0, 1.7, 2.0])
@pytest.mark.parametrize("keys", [BALANCED, ENDS, EVEN, POOLED])
def test_queries_times_keys_stay_whatever_the_exponent(ratio, exponent, keys):
    shares = Shares.of(ratio, FRAMES, exponent, keys)
    assert shares.queries * of_all(shares) == pytest.approx(ratio**2)


@pytest.mark.parametrize(
    ("ratio", "exponent", "queries"),
    [(0.5, 0.0, 1.0), (0.25, 0.5, 0.5), (0.1, 1.0, 0.1), (0.64, 1.5, 0.512), (0.2, 1.5, 0.15), (0.1, 1.5, 0.1)],
)
def test_the_exponent_splits_the_ratio_but_leaves_enough_queries(ratio, exponent, queries):
    assert Shares.of(ratio, FRAMES, exponent).queries == pytest.approx(queries)


@pytest.mark.parametrize("exponent", [0.0, 1.0, 2.0])
@pytest.mark.parametrize("keys", [BALANCED, ENDS, EVEN, POOLED])
def test_one_is_dense(exponent, keys):
    shares = Shares.of(1.0, FRAMES, exponent, keys)
    assert (shares.queries, shares.ends, shares.middle) == (1.0, 1.0, 1.0)


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


@pytest.mark.parametrize("queries", [0.0, 0.05, 0.15, 0.2, 0.4, 0.9, 1.0])
@pytest.mark.parametrize("exponent", [0.5, 1.0, 1.5, 2.0])
def test_a_ratio_for_so_many_queries_is_the_least(queries, exponent):
    ratio = ratio_for(queries, exponent)
    if ratio:
        assert Shares.of(ratio, FRAMES, exponent).queries == pytest.approx(queries)
        assert Shares.of(0.99 * ratio, FRAMES, exponent).queries < queries or queries == pytest.approx(QUERY_FLOOR)


def test_where_no_query_is_pruned_every_ratio_will_do():
    assert ratio_for(0.7, 0.0) == 0.0
