"""What several tests need: a small SAM 2 with random weights, real footage, and one thread per process for torch."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

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


def small_sam2(target: str = "sam2.modeling.sam2_base.SAM2Base", seed: int = 0) -> torch.nn.Module:
    """The mini configuration at 256 px (16 x 16 tokens), every weight random, so that nothing is idle at zero."""
    from hydra.utils import instantiate
    from omegaconf import OmegaConf

    from fastsam2_ros.streaming import loading

    settings = OmegaConf.merge(
        OmegaConf.load(loading.find_config("mini")),
        {"model": {**loading._POSTPROCESSING, "image_size": 256, "_target_": target}},
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = instantiate(settings.model, _recursive_=True).eval()
        for parameter in model.parameters():
            if parameter.abs().max() < 1e-3:
                torch.nn.init.normal_(parameter, std=0.1)
    loading._make_visible(model)
    return model
