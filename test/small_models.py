"""Small models with random weights, for tests."""

from __future__ import annotations

import torch

from fastsam2_ros.lab.evaluation import upstream
from fastsam2_ros.streaming import loading


def small_sam2(target: str = "sam2.modeling.sam2_base.SAM2Base") -> torch.nn.Module:
    """The mini configuration at 256 px (16 x 16 tokens), seven memory frames, random weights: nothing is idle at zero."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(1)
        model = loading.build(loading.find_config("mini"), {"image_size": 256, "num_maskmem": 7, "_target_": target})
    loading.make_visible(model)
    upstream.wake(model, seed=1)
    return model
