"""Which weights are taken where the user says little."""

from __future__ import annotations

import argparse
from pathlib import Path

import pytest
import yaml

from fastsam2_ros.bags.track import add_settings
from fastsam2_ros.config import LanguageConfig, TrackerConfig, from_mapping
from fastsam2_ros.demo import settings


def chosen(*words: str) -> TrackerConfig:
    parser = argparse.ArgumentParser()
    add_settings(parser)
    return settings.demo_settings(parser.parse_args(words))


@pytest.fixture
def _nothing_shipped(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in ("MINI_SAM2", "MINI_CLIP"):
        monkeypatch.setattr(settings, name, tmp_path / "absent")


@pytest.fixture
def _both_shipped(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "weights").touch()
    for name in ("MINI_SAM2", "MINI_CLIP"):
        monkeypatch.setattr(settings, name, tmp_path / "weights")


@pytest.mark.usefixtures("_nothing_shipped")
@pytest.mark.parametrize("words", [(), ("--model", "mini"), ("--set", "model.name=mini")])
def test_mini_is_untrained_as_long_as_no_weights_are_shipped(words: tuple[str, ...]) -> None:
    config = chosen(*words)
    assert (config.model.name, config.model.checkpoint) == ("mini", "untrained")
    assert config.language == LanguageConfig("mini", "untrained", min_margin=-2)


@pytest.mark.usefixtures("_both_shipped")
def test_shipped_weights_are_the_default_as_soon_as_they_are_there() -> None:
    config = chosen()
    assert (config.model.name, config.model.checkpoint) == ("mini", "")
    assert config.language == LanguageConfig("mini", "mini")


@pytest.mark.usefixtures("_nothing_shipped")
def test_a_released_model_gets_the_nodes_own_language() -> None:
    config = chosen("--model", "tiny")
    assert (config.model.name, config.model.checkpoint, config.language) == ("tiny", "", LanguageConfig())


@pytest.mark.usefixtures("_nothing_shipped")
def test_what_is_given_wins() -> None:
    config = chosen("--checkpoint", "mine.pt", "--set", "language.weights=clip.pt", "--set", "language.min_margin=0.1")
    assert config.model.checkpoint == "mine.pt"
    assert config.language == LanguageConfig("mini", "clip.pt", min_margin=0.1)


def test_the_parameter_file_holds_what_is_not_default(tmp_path: Path) -> None:
    values = {"model.name": "mini", "pruning.keep_ratio": 0.3, "max_targets": 2}
    settings.write_parameters(tmp_path / "node.yaml", from_mapping(values))
    assert yaml.safe_load((tmp_path / "node.yaml").read_text()) == {
        "/**": {"ros__parameters": {"model": {"name": "mini"}, "pruning": {"keep_ratio": 0.3}, "max_targets": 2}}
    }
