"""What is to happen to a target happens."""

from __future__ import annotations

import numpy as np
import pytest

from fastsam2_ros.lab.synthetic import plots
from fastsam2_ros.lab.synthetic.world import RATE, generate

SIZE, STRIDE = (96, 128), 3


def visible(plot, seed, frames=24):
    world = generate(seed, 2, frames, SIZE, STRIDE, plot=plot)
    return world, world.visible[:, world.target - 1]


@pytest.mark.parametrize("seed", range(4))
def test_a_target_leaves_stays_away_and_comes_back(seed):
    _, share = visible(plots.leaves(0.5, 1.0, elsewhere=True), seed)
    away = slice(round(0.5 * RATE / STRIDE) + 1, round(1.5 * RATE / STRIDE))
    assert share[0] > 0.5
    assert not share[away].any()
    assert share[-1] > 0.5


@pytest.mark.parametrize("elsewhere", [False, True])
def test_it_comes_back_over_the_same_edge_or_another(elsewhere):
    same = []
    for seed in range(4):
        world, share = visible(plots.leaves(0.5, 0.5, elsewhere=elsewhere), seed)
        seen = np.flatnonzero(share)
        gap = int(np.argmax(np.diff(seen)))
        same.append(edge_of(world, int(seen[gap])) == edge_of(world, int(seen[gap + 1])))
    assert not any(same) if elsewhere else all(same)


def edge_of(world, index):
    """Which edge the target is nearest to: left, right, upper, lower."""
    x, y, width, height = world.boxes[index, world.target - 1]
    return int(np.argmin([x, SIZE[1] - x - width, y, SIZE[0] - y - height]))


def test_a_hidden_target_is_there_before_and_afterwards():
    _, share = visible(plots.hidden(0.6, 0.5), 0, 20)
    assert share[0] > 0.5
    assert share[round(0.85 * RATE / STRIDE)] < 0.3
    assert share[-1] > 0.5
