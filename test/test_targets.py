"""States of one target, and when it asks for every token."""

from __future__ import annotations

import numpy as np
import pytest

from fastsam2_ros.config import PruningConfig, TrackerConfig
from fastsam2_ros.pruning.budget import Budget
from fastsam2_ros.results import TrackState
from fastsam2_ros.targets import GIVE_UP_SECONDS, SETTLING_FRAMES, Target

CONFIG = TrackerConfig(pruning=PruningConfig(min_keep_ratio=0.2, max_keep_ratio=1.0, fall_seconds=0.5))
STEP = 0.1


@pytest.fixture
def target():
    found = Target(1, "mug", False, Budget(CONFIG.pruning))
    found.found(True, 0.9, 1.0)
    return found


def go(target, frames, visible=True, score=0.9, magnitude=0.0, ceiling=1.0):
    """Shares of the next frames."""
    shares = []
    for _ in range(frames):
        shares.append(target.take_share(magnitude, STEP, ceiling))
        target.observe(visible, score, STEP, CONFIG)
    return shares


def test_a_found_target_settles_and_then_falls_to_the_floor(target):
    shares = go(target, 12)
    assert shares[:SETTLING_FRAMES] == [1.0] * SETTLING_FRAMES
    assert shares[SETTLING_FRAMES] < 1
    assert shares[-1] == 0.2


def test_a_doubted_target_gets_all(target):
    go(target, 12)
    assert go(target, 3, score=0.1)[1:] == [1.0, 1.0]


def test_a_lost_target_falls_after_a_while_whatever_moves(target):
    go(target, 12)
    unseen = go(target, 30, visible=False, magnitude=9.0)
    held = round(GIVE_UP_SECONDS / STEP)
    assert target.state == TrackState.LOST
    assert unseen[1:held] == [1.0] * (held - 1)
    assert unseen[-1] == 0.2


def test_a_lost_target_that_is_seen_again_gets_all(target):
    go(target, 12)
    go(target, 30, visible=False)
    assert go(target, 4)[1:] == [1.0, 1.0, pytest.approx(0.85)]


def test_a_lost_target_that_is_found_by_its_text_gets_all(target):
    go(target, 30, visible=False)
    target.found(True, 0.9, 1.0)
    assert target.keep_ratio == 1.0
    assert go(target, 2) == [1.0, 1.0]


def test_the_deadline_holds_for_a_found_target_too(target):
    target.found(True, 0.9, 0.5)
    assert target.keep_ratio == 0.5


def test_a_target_tells_its_share(target):
    go(target, 12)
    assert target.result(np.ones((4, 4), bool)).keep_ratio == 0.2
