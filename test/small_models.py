"""Small models with random weights, for tests."""

from __future__ import annotations

import torch

from fastsam2_ros.lab.evaluation import upstream
from fastsam2_ros.streaming import loading


def small_sam2(target: str = "sam2.modeling.sam2_base.SAM2Base", image_size: int = 256) -> torch.nn.Module:
    """The mini configuration, seven memory frames, random weights: nothing is idle at zero. 256 px are 16 x 16 tokens."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(1)
        model = loading.build(
            loading.find_config("mini"), {"image_size": image_size, "num_maskmem": 7, "_target_": target}
        )
    loading.make_visible(model)
    upstream.wake(model, seed=1)
    return model
