"""Crops of mini's CLIP, whose tower has maps: within a mask alone."""

from __future__ import annotations

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from fastsam2_ros.config import LanguageConfig
from fastsam2_ros.lab.training.clip import MODEL
from fastsam2_ros.language import weights
from fastsam2_ros.language.clip import MASK_SIDE, Clip
from fastsam2_ros.language.pyramid import Pyramid

CPU = torch.device("cpu")
CONFIG = LanguageConfig(name=str(MODEL), weights="untrained")


def open_clip_model():
    return weights.build(weights.find(CONFIG), CONFIG.seed)[0]


@pytest.fixture(scope="module")
def clip():
    return Clip.load(CONFIG, CPU)


@pytest.fixture(scope="module")
def frame():
    return np.random.default_rng(0).integers(0, 256, (64, 64, 3), np.uint8).repeat(8, 0).repeat(8, 1)


def test_a_mask_over_all_is_none(clip, frame):
    box = (100.0, 100.0, 120.0, 120.0)
    whole = clip.embed_crops(frame, [box], torch.ones(1, 64, 64, dtype=torch.bool))
    torch.testing.assert_close(whole, clip.embed_crops(frame, [box]), atol=1e-5, rtol=1e-4)


@torch.inference_mode()
def test_a_crop_counts_within_its_mask_alone(clip, frame):
    mask = torch.zeros(1, 64, 64, dtype=torch.bool)
    mask[:, :, :32] = True  # the left half of the frame, and of the crop
    tower = open_clip_model().visual
    preprocess = weights.find(CONFIG).preprocess
    mean, std = (torch.tensor(preprocess[name])[:, None, None] for name in ("mean", "std"))
    square = torch.from_numpy(frame[52:460, 52:460]).permute(2, 0, 1).float() / 255
    crop = F.interpolate(((square - mean) / std)[None], (160, 160), mode="bicubic", antialias=True)
    half = F.normalize(tower.head(tower.trunk.forward_features(crop)[..., :5].mean((2, 3))), dim=-1)
    found = clip.embed_crops(frame, [(86.0, 86.0, 340.0, 340.0)], mask)
    assert (found * half).sum() > 0.9999


@torch.inference_mode()
def test_masked_crops_are_the_tower_s_own_means(clip, frame, monkeypatch):
    """Each map at its own stride (`Pyramid.within`), and not the coarse map before pooling."""
    seen = []
    whole = Pyramid.within
    monkeypatch.setattr(Pyramid, "within", lambda *given: seen.append(given[2]) or whole(*given))
    mask = torch.zeros(1, 64, 64, dtype=torch.bool)
    mask[:, :, 20:25] = True
    box = (86.0, 86.0, 340.0, 340.0)
    clip.embed_crops(frame, [box])
    assert not seen
    clip.embed_crops(frame, [box], mask)
    (shares,) = seen
    assert shares.shape == (1, 1, MASK_SIDE, MASK_SIDE)
    assert shares.mean().item() == pytest.approx(40 / 408, abs=0.01)  # of the square of 408 pixels
