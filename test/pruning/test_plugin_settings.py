"""What `prune` is given: texts, shares and predictors; and what `unprune` puts back."""

from __future__ import annotations

import subprocess
import sys

import pytest
import torch

import fastsam2_ros
from fastsam2_ros import prune, unprune
from fastsam2_ros.config import LanguageConfig
from fastsam2_ros.errors import InputError, ModelError
from fastsam2_ros.pruning import loaded_video, pruner

from .predicted import (
    KEEP,
    SHORT,
    TOKENS,
    same,
    track,
)


@pytest.fixture(scope="module")
def one_object(model, video):
    return track(model, video, count=SHORT)[1]


def test_unprune_restores_the_instance(predictor, video, one_object):
    before = dict(predictor.__dict__), dict(predictor.memory_attention.__dict__)
    prune(predictor, keep=KEEP)
    prune(predictor, keep=0.5)
    assert dict(predictor.__dict__).keys() != before[0].keys()
    unprune(predictor)
    assert (dict(predictor.__dict__), dict(predictor.memory_attention.__dict__)) == before
    assert same(track(predictor, video, count=SHORT)[1], one_object)


def test_unprune_puts_back_what_the_instance_had_of_its_own(predictor):
    """As upstream's compiled predictor has."""
    own = predictor.memory_attention.forward
    predictor.memory_attention.forward = own
    prune(predictor)
    unprune(predictor)
    assert predictor.memory_attention.__dict__.pop("forward") is own


def test_pruning_again_replaces_the_settings(predictor, video, one_object):
    prune(predictor, keep=KEEP)
    prune(predictor, keep=1.0)
    assert same(track(predictor, video, count=SHORT)[1], one_object)


def small_clip(folder):
    """Random weights of a tiny open_clip model."""
    path = folder / "tiny.json"
    path.write_text(
        '{"embed_dim": 16, "vision_cfg": {"image_size": 64, "layers": 1, "width": 64, "patch_size": 16},'
        ' "text_cfg": {"context_length": 77, "vocab_size": 49408, "width": 32, "heads": 2, "layers": 1}}'
    )
    return LanguageConfig(name=str(path), weights="untrained", image_size=64)


@torch.inference_mode()
def test_a_text_is_a_cue(predictor, video, tmp_path, monkeypatch):
    prune(predictor, keep=KEEP)
    _, without = track(predictor, video, count=4)
    prune(predictor, text="red mug; spoon", keep=KEEP, language=small_clip(tmp_path))
    frame_cues, seen = pruner.TokenPruner.frame_cues, []
    monkeypatch.setattr(
        pruner.TokenPruner,
        "frame_cues",
        lambda own, tokens, states, text: seen.append(text) or frame_cues(own, tokens, states, text),
    )
    _, found = track(predictor, video, count=4)
    assert {text.shape for text in seen} == {(1, TOKENS)}
    assert min(text.std() for text in seen) > 0
    assert not same(found, without)


def test_relevance_is_learnt_per_state_and_text(predictor, video, tmp_path, monkeypatch):
    language, new_map, made = small_clip(tmp_path), loaded_video.RelevanceMap, []
    monkeypatch.setattr(loaded_video, "RelevanceMap", lambda scale: made.append(scale) or new_map(scale))
    prune(predictor, text="red mug", language=language)
    states = [track(predictor, video, count=2)[0] for _ in range(2)]
    assert len(made) == 2
    list(predictor.propagate_in_video(states[0], start_frame_idx=2, max_frame_num_to_track=1))
    assert len(made) == 2
    prune(predictor, text="spoon", language=language)
    list(predictor.propagate_in_video(states[0], start_frame_idx=3, max_frame_num_to_track=1))
    assert len(made) == 3


def test_without_a_text_no_language_model_is_loaded(predictor, monkeypatch):
    monkeypatch.setattr(loaded_video.Clip, "load", lambda *_: pytest.fail("loaded"))
    prune(predictor)


@pytest.mark.parametrize("keep", [0, -0.1, 1.5, float("nan"), True, "auto", None])
def test_a_share_that_is_none_is_refused(predictor, keep):
    with pytest.raises(InputError, match="above 0 and up to 1, or 'motion'"):
        prune(predictor, keep=keep)


@pytest.mark.parametrize("function", [prune, unprune])
def test_another_model_is_refused(function):
    with pytest.raises(InputError, match=r"Linear; a sam2\..*SAM2VideoPredictor is expected"):
        function(torch.nn.Linear(1, 1))


def test_a_refused_setting_leaves_the_old_one(predictor):
    prune(predictor, keep=KEEP)
    before = dict(predictor.__dict__)
    for wrong in ({"text": " "}, {"text": "mug", "language": LanguageConfig(name="no such model")}):
        with pytest.raises((InputError, ModelError)):
            prune(predictor, **wrong)
    assert dict(predictor.__dict__) == before


def test_the_names_are_lazy():
    program = "import sys, fastsam2_ros; assert 'torch' not in sys.modules and 'sam2' not in sys.modules"
    subprocess.run([sys.executable, "-c", program], check=True)
    assert {"prune", "unprune"} <= set(fastsam2_ros.__all__)
