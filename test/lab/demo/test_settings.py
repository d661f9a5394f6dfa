"""Which weights are taken where the user says little."""

from __future__ import annotations

import argparse
from pathlib import Path

import yaml

from fastsam2_ros.bags.track import add_settings
from fastsam2_ros.config import LanguageConfig, TrackerConfig, from_mapping
from fastsam2_ros.lab.demo import settings


def chosen(*words: str) -> TrackerConfig:
    parser = argparse.ArgumentParser()
    add_settings(parser)
    return settings.demo_settings(parser.parse_args(words))


def test_what_ships_is_the_default() -> None:
    config = chosen()
    assert (config.model.name, config.model.checkpoint, config.language) == ("mini", "", LanguageConfig())


def test_random_weights_come_in_pairs_and_find_whatever_is_asked_for() -> None:
    config = chosen("--checkpoint", "untrained")
    assert config.language == LanguageConfig("mini", "untrained", min_margin=-2)


def test_what_is_given_wins() -> None:
    config = chosen(
        "--checkpoint", "untrained", "--set", "language.weights=clip.pt", "--set", "language.min_margin=0.1"
    )
    assert config.language == LanguageConfig("", "clip.pt", min_margin=0.1)


def test_the_parameter_file_holds_what_is_not_default(tmp_path: Path) -> None:
    values = {"model.name": "tiny", "pruning.keep_ratio": 0.3, "max_targets": 2}
    settings.write_parameters(tmp_path / "node.yaml", from_mapping(values))
    assert yaml.safe_load((tmp_path / "node.yaml").read_text()) == {
        "/**": {"ros__parameters": {"model": {"name": "tiny"}, "pruning": {"keep_ratio": 0.3}, "max_targets": 2}}
    }
