from __future__ import annotations

import pytest

from fastsam2_ros.lab.evaluation.ablation.gain import TINY, at_tiny_sizes, speed_up
from fastsam2_ros.results import AttentionCounts
from fastsam2_ros.streaming.cost import AttentionSize
from fastsam2_ros.streaming.loading import build, find_config


def test_the_sizes_are_those_of_tiny() -> None:
    assert AttentionSize.of(build(find_config("tiny"))) == TINY


def test_the_same_shares_of_a_smaller_grid_cost_the_same() -> None:
    half = at_tiny_sizes(AttentionCounts(512, 7 * 512, 64), tokens=1024)
    assert half == TINY.flops(AttentionCounts(2048, 7 * 2048, 64))


def test_a_dense_step_is_as_fast_as_itself() -> None:
    assert speed_up("tiny", 1.0) == 1.0


@pytest.mark.parametrize(("model", "factor", "share"), [("tiny", 1.8, 0.330), ("base_plus", 1.42, 0.381)])
def test_the_gain_of_a_share_of_the_attention(model: str, factor: float, share: float) -> None:
    assert speed_up(model, share) == pytest.approx(factor, rel=2e-3)
