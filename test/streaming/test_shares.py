"""What a keep ratio means."""

from __future__ import annotations

import pytest

from fastsam2_ros.streaming.shares import BALANCED, ENDS, EVEN, POOLED, Shares, token_count

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
    assert shares.queries == pytest.approx(ratio**exponent)


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
