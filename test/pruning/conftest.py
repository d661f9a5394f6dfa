"""Upstream's predictor with small random weights, and a video for it."""

from __future__ import annotations

import pytest
from small_models import small_sam2

from fastsam2_ros import unprune
from fastsam2_ros.lab.evaluation.upstream import PREDICTOR

from .predicted import FRAMES, SIZE, save, smooth_noise


@pytest.fixture(scope="module")
def video(tmp_path_factory):
    """A window that moves over a large picture."""
    wide = smooth_noise(0)
    frames = [wide[2 * n : 2 * n + SIZE[0], 3 * n : 3 * n + SIZE[1]] for n in range(FRAMES)]
    return save(tmp_path_factory.mktemp("video"), frames)


@pytest.fixture(scope="module")
def model():
    return small_sam2(PREDICTOR)


@pytest.fixture
def predictor(model):
    yield model
    unprune(model)
