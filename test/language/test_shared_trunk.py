"""One trunk for SAM 2 and CLIP, where both have the same."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from fastsam2_ros.config import LanguageConfig, ModelConfig
from fastsam2_ros.lab.training.clip import MODEL
from fastsam2_ros.language.clip import Clip
from fastsam2_ros.language.search import TextSearch
from fastsam2_ros.streaming import loading
from fastsam2_ros.streaming.model import StreamingSam2
from fastsam2_ros.streaming.trunk import create, fold

CPU = torch.device("cpu")
CONFIG = LanguageConfig(name=str(MODEL), weights="untrained")


@pytest.fixture(scope="module")
def clip():
    return Clip.load(CONFIG, CPU)


@pytest.fixture(scope="module")
def sam(clip):
    """With CLIP's own trunk."""
    from fastsam2_ros.language import weights

    built, _ = weights.build(weights.find(CONFIG), CONFIG.seed)
    own = built.visual.trunk.state_dict()
    maps = create("tf_efficientnet_lite0")
    maps.load_state_dict({name: own[name] for name in maps.state_dict()})
    model = loading.build(loading.find_config("mini"))
    model.image_encoder.trunk.model.load_state_dict(fold(maps).state_dict())
    return StreamingSam2(model)


@pytest.fixture(scope="module")
def frame():
    return np.random.default_rng(0).integers(0, 256, (64, 64, 3), np.uint8).repeat(8, 0).repeat(8, 1)


def test_the_same_trunk_is_known(clip, sam):
    assert clip.has_trunk(sam.trunk_map)


def test_another_trunk_is_known(clip):
    torch.manual_seed(5)
    assert not clip.has_trunk(StreamingSam2(loading.build(loading.find_config("mini"))).trunk_map)


def test_a_trunk_that_is_no_timm_model_is_not_shared(clip):
    assert not clip.has_trunk(lambda _: None)


def test_dense_features_of_the_shared_map_are_those_of_the_frame(clip, sam, frame):
    size = clip._image_size
    clip._image_size = sam.model.image_size
    try:
        own = clip.dense_features(frame)
    finally:
        clip._image_size = size
    shared = clip.dense_of_map(sam.encode(frame).trunk_map)
    assert shared.shape == own.shape
    assert (shared * own).sum(0).min() > 0.99


def test_a_search_that_shares_does_not_run_its_own(sam, frame, monkeypatch):
    search = TextSearch(CONFIG, CPU)
    search.share_trunk(sam.trunk_map)
    monkeypatch.setattr(search._clip, "dense_features", None)
    assert search.dense(frame, sam.encode(frame)).shape[1:] == (16, 16)


def test_released_models_keep_no_map(frame):
    config = ModelConfig(name="tiny", checkpoint="untrained", device="cpu")
    assert loading.load_sam2(config).streaming.trunk_map(torch.zeros(3, 64, 64)) is None
