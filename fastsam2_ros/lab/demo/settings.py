"""What the demo's tracker is set to."""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path
from typing import Any

import yaml

from fastsam2_ros.bags.track import settings
from fastsam2_ros.config import MINI, UNTRAINED, TrackerConfig, flat_options


def demo_settings(arguments: argparse.Namespace) -> TrackerConfig:
    """The tracker's configuration, from the arguments of `bags.track.add_settings`.

    With random weights of SAM 2, those of language are random too where nothing else is said; a text then counts as found
    whatever its margin, so that every stage has something to do.

    Raises:
        InputError: a setting that does not exist, or a value that it cannot have.
    """
    config = settings(arguments)
    if config.model.checkpoint == UNTRAINED and not config.language.weights:
        config = replace(config, language=replace(config.language, name=MINI, weights=UNTRAINED))
    if config.language.weights == UNTRAINED and not config.language.min_margin:
        config = replace(config, language=replace(config.language, min_margin=-2.0))
    return config


def write_parameters(path: Path, config: TrackerConfig) -> None:
    """The settings that differ from the defaults, as a parameter file for the node."""
    parameters: dict[str, Any] = {}
    for name, option in flat_options().items():
        group, _, leaf = name.rpartition(".")
        value = getattr(getattr(config, group) if group else config, leaf)
        if value != option.default:
            (parameters.setdefault(group, {}) if group else parameters)[leaf] = value
    path.write_text(yaml.safe_dump({"/**": {"ros__parameters": parameters}}), encoding="utf-8")
