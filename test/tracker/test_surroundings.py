"""What is set in torch around a tracker changes nothing."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack

import numpy as np
import pytest
import torch

from fastsam2_ros.config import TrackerConfig
from fastsam2_ros.torch_settings import neutral_torch
from fastsam2_ros.tracker import TextTracker

from .sought import BOX, step

SURROUNDINGS = {
    "autocast": lambda: torch.autocast("cpu", torch.bfloat16),
    "no_grad": torch.no_grad,
    "inference_mode": torch.inference_mode,
    "a default device": lambda: torch.device("meta"),
}


@pytest.fixture
def float64():
    torch.set_default_dtype(torch.float64)
    yield
    torch.set_default_dtype(torch.float32)


def masks(video):
    """Of a tracker from its models on: what a user does."""
    with torch.random.fork_rng():
        tracker = TextTracker.from_config(TrackerConfig())
    tracker.set_target("red ball; blue box")
    tracker.set_box(BOX)
    return [step(tracker, video, number).labels() for number in range(4)]


@pytest.fixture(scope="module")
def usual(video):
    return masks(video)


@pytest.mark.parametrize("name", SURROUNDINGS)
def test_torchs_settings_around_a_tracker_change_nothing(video, usual, name):
    with SURROUNDINGS[name]():
        found = masks(video)
    assert all(np.array_equal(*pair) for pair in zip(found, usual, strict=True))


def test_a_default_type_changes_nothing_and_is_left_as_it_was(video, usual, float64):
    assert all(np.array_equal(*pair) for pair in zip(masks(video), usual, strict=True))
    assert torch.get_default_dtype() == torch.float64


def test_blocks_in_several_threads_keep_the_default_type_until_the_last_ends(float64):
    with ExitStack() as first, ThreadPoolExecutor(1) as pool:
        first.enter_context(neutral_torch())
        second = neutral_torch()
        pool.submit(second.__enter__).result()
        first.close()
        assert pool.submit(torch.get_default_dtype).result() == torch.float32
        pool.submit(second.__exit__, None, None, None).result()
    assert torch.get_default_dtype() == torch.float64
