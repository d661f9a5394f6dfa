"""Upstream's own video predictor with our loading code, to be compared with: the same weights and settings."""

from __future__ import annotations

import numpy as np
import torch
from sam2.sam2_video_predictor import SAM2VideoPredictor

from fastsam2_ros.config import UNTRAINED, ModelConfig
from fastsam2_ros.streaming import loading
from fastsam2_ros.streaming.checkpoints import find_checkpoint

PREDICTOR = "sam2.sam2_video_predictor.SAM2VideoPredictor"
PREDICTOR_VOS = "sam2.sam2_video_predictor.SAM2VideoPredictorVOS"
"""Upstream's `vos_optimized` form, with compiled parts."""


def load_predictor(config: ModelConfig, vos_optimized: bool = False) -> SAM2VideoPredictor:
    """`SAM2VideoPredictor` with the weights that `config` names, on its device.

    Raises:
        ModelError: as `loading.load_sam2`.
    """
    kind = {"_target_": PREDICTOR_VOS, "compile_image_encoder": True} if vos_optimized else {"_target_": PREDICTOR}
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(config.seed)
        predictor = loading.build(loading.find_config(config.name), {**kind, **loading.sized(config.image_size)})
    if config.checkpoint == UNTRAINED:
        loading.make_visible(predictor)
        wake(predictor, config.seed)
    else:
        loading.load_weights(predictor, find_checkpoint(config), config.name)
    return predictor.to(loading.find_device(config.device))


def wake(model: torch.nn.Module, seed: int) -> None:
    """Random numbers for weights that begin at zero, so that a comparison of untrained models compares every part."""
    generator = torch.Generator().manual_seed(seed)
    for parameter in model.parameters():
        if parameter.abs().max() < 1e-3:
            parameter.data.normal_(std=0.1, generator=generator)


def noise_video(frames: int, size: tuple[int, int]) -> list[np.ndarray]:
    """Smooth random pictures, uint8 (H, W, 3), for timing: what is in them does not matter."""
    generator = np.random.default_rng(0)
    coarse = generator.integers(0, 256, (frames, 9, 16, 3), np.uint8)
    import cv2

    return [cv2.resize(picture, size[::-1], interpolation=cv2.INTER_CUBIC) for picture in coarse]
