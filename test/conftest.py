"""What several tests need: a small SAM 2 with random weights, and real footage."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from fastsam2_ros.evaluation import upstream
from fastsam2_ros.streaming import loading

ROOT = Path(__file__).resolve().parent.parent
SHARED = ROOT.parent / "shared"


@pytest.fixture(scope="session")
def shared() -> Path:
    """Real footage that is not part of the project."""
    if not SHARED.is_dir():
        pytest.skip(f"real footage is not here: {SHARED} is missing")
    return SHARED


@pytest.fixture
def noise_frame() -> np.ndarray:
    """uint8 (96, 128, 3)."""
    return np.random.default_rng(0).integers(0, 256, (96, 128, 3), np.uint8)


def small_sam2(target: str = "sam2.modeling.sam2_base.SAM2Base") -> torch.nn.Module:
    """The mini configuration at 256 px (16 x 16 tokens), every weight random, so that nothing is idle at zero."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        model = loading.build(loading.find_config("mini"), {"image_size": 256, "_target_": target})
    loading.make_visible(model)
    upstream.wake(model, seed=0)
    return model
