"""One trunk for SAM 2 and CLIP, where both have the same."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from fastsam2_ros.config import LanguageConfig, ModelConfig
from fastsam2_ros.lab.training.clip import MODEL
from fastsam2_ros.language import weights
from fastsam2_ros.language.clip import Clip
from fastsam2_ros.language.search import TextSearch
from fastsam2_ros.streaming import loading
from fastsam2_ros.streaming.model import StreamingSam2
from fastsam2_ros.streaming.trunk import fold

CPU = torch.device("cpu")
CONFIG = LanguageConfig(name=str(MODEL), weights="untrained")


def open_clip_model():
    return weights.build(weights.find(CONFIG), CONFIG.seed)[0]


@pytest.fixture(scope="module")
def clip():
    return Clip.load(CONFIG, CPU)


@pytest.fixture(scope="module")
def sam(clip):
    """With CLIP's own trunk."""
    built = open_clip_model()
    model = loading.build(loading.find_config("mini"))
    model.image_encoder.trunk.model.load_state_dict(fold(built.visual.trunk.stages).state_dict())
    return StreamingSam2(model)


@pytest.fixture(scope="module")
def frame():
    return np.random.default_rng(0).integers(0, 256, (64, 64, 3), np.uint8).repeat(8, 0).repeat(8, 1)


def test_the_same_trunk_is_known(clip, sam):
    assert clip.has_trunk(sam.trunk_maps)


def test_another_trunk_is_known(clip):
    torch.manual_seed(5)
    assert not clip.has_trunk(StreamingSam2(loading.build(loading.find_config("mini"))).trunk_maps)


def test_a_trunk_that_is_no_timm_model_is_not_shared(clip):
    assert not clip.has_trunk(lambda _: ())


def test_dense_features_of_the_shared_maps_are_those_of_the_frame(clip, sam, frame):
    own = Clip.load(replace(CONFIG, image_size=sam.model.image_size), CPU).dense_features(frame)
    shared = clip.dense_of_maps(sam.encode(frame).trunk_maps)
    assert shared.shape == own.shape
    assert (shared * own).sum(0).min() > 0.99


def test_a_search_that_shares_does_not_run_its_own(sam, frame, monkeypatch):
    search = TextSearch(CONFIG, CPU)
    search.share_trunk(sam.trunk_maps)
    monkeypatch.setattr(Clip, "dense_features", None)
    assert search.dense(frame, sam.encode(frame)).shape[1:] == (32, 32)


def test_released_models_keep_no_maps(frame):
    config = ModelConfig(name="tiny", checkpoint="untrained", device="cpu")
    assert loading.load_sam2(config).streaming.trunk_maps(torch.zeros(3, 64, 64)) == ()


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
