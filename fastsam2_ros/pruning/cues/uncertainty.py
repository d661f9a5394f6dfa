"""Where the last mask was undecided, and how little the decoder trusts it."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F
from torch import Tensor

from fastsam2_ros.pruning.cues.grid import scaled
from fastsam2_ros.streaming.values import Grid
from fastsam2_ros.streaming.warp import STILL, moved


def uncertainty(
    low_res: Tensor, trust: Tensor, tokens: Tensor, grid: Grid, camera: npt.NDArray[np.float64] = STILL
) -> Tensor:
    """Entropy of the last mask, or the variance of the tokens as far as the whole target is doubted.

    The entropy is the binary one of the mask's probability, bits, mean over each token's cell, moved with the camera. A
    doubted target (low predicted IoU or object score) may be anywhere: it is looked for where there is structure, which a
    high variance of a token's channels tells.

    Args:
        low_res: float, (targets, 1, h, w), mask logits of the last frame.
        trust: (targets,), [0, 1], probability of being visible (object score) times predicted IoU, both the decoder's.
        tokens: (N, C), of this frame.
        grid: of the tokens.
        camera: (2, 3), `Motion.camera`.

    Returns:
        float32, (targets, N), [0, 1].
    """
    probability = low_res.float().sigmoid().clamp(1e-6, 1 - 1e-6)
    entropy = -(probability * probability.log2() + (1 - probability) * (1 - probability).log2())
    undecided = moved(F.adaptive_avg_pool2d(entropy, grid), camera).flatten(1)
    doubt = 1 - trust.float().clamp(0, 1)[:, None]
    variance = scaled(tokens.float().var(dim=1)[None])
    return torch.maximum(undecided, doubt * variance)
