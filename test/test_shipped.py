"""Weights that come with the package are found, and missed with a message as long as they are not there."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from fastsam2_ros import shipped
from fastsam2_ros.config import LanguageConfig, ModelConfig
from fastsam2_ros.errors import ModelError
from fastsam2_ros.language import dense, weights
from fastsam2_ros.streaming import checkpoints


@pytest.fixture
def clip_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the language model's weights would lie; its architecture is there."""
    shutil.copy(shipped.MINI_CLIP.with_suffix(".json"), tmp_path)
    monkeypatch.setattr(weights, "MINI_CLIP", tmp_path / shipped.MINI_CLIP.name)
    return tmp_path / shipped.MINI_CLIP.name


@pytest.fixture
def sam2_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the weights of SAM 2 'mini' would lie."""
    monkeypatch.setattr(checkpoints, "MINI_SAM2", tmp_path / "mini.safetensors")
    return tmp_path / "mini.safetensors"


def test_mini_language_takes_the_weights_beside_it(clip_file: Path) -> None:
    clip_file.touch()
    assert weights.find(LanguageConfig("mini", "mini")).checkpoint == clip_file


@pytest.mark.parametrize("tag", ["mini", "datacomp_xl_s13b_b90k"])
def test_mini_language_without_weights_is_told(clip_file: Path, tag: str) -> None:
    with pytest.raises(ModelError, match=f"'mini' has no weights '{tag}'; set language.weights to 'untrained'"):
        weights.find(LanguageConfig("mini", tag))


def test_mini_language_names_its_weights_where_it_has_some(clip_file: Path) -> None:
    clip_file.touch()
    with pytest.raises(ModelError, match="to 'mini', 'untrained' or a checkpoint's path"):
        weights.find(LanguageConfig("mini", "laion2b"))


def test_mini_language_can_be_built() -> None:
    model, _ = weights.build(weights.find(LanguageConfig("mini", "untrained")), seed=0)
    assert dense.width(model.visual) == 256


def test_mini_sam2_takes_the_weights_beside_it(sam2_file: Path) -> None:
    sam2_file.touch()
    assert checkpoints.find_checkpoint(ModelConfig("mini")) == sam2_file


def test_a_given_file_comes_before_the_shipped_one(sam2_file: Path, tmp_path: Path) -> None:
    sam2_file.touch()
    mine = tmp_path / "mine.safetensors"
    mine.touch()
    assert checkpoints.find_checkpoint(ModelConfig("mini", checkpoint=str(mine))) == mine


def test_mini_sam2_without_weights_is_told(sam2_file: Path) -> None:
    with pytest.raises(ModelError, match=r"'mini' has no released weights.*'untrained'"):
        checkpoints.find_checkpoint(ModelConfig("mini"))
