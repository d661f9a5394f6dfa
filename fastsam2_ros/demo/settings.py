"""What the demo's tracker is set to where the user says nothing: the weights that are there."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import yaml

from fastsam2_ros.bags.track import settings
from fastsam2_ros.config import TrackerConfig, flat_options
from fastsam2_ros.shipped import MINI_CLIP, MINI_SAM2

UNTRAINED = "untrained"
"""Value of `model.checkpoint` and `language.weights` that asks for random weights."""


def demo_settings(arguments: argparse.Namespace) -> TrackerConfig:
    """The tracker's configuration: what the arguments of `bags.track.add_settings` say, and for the rest:

    SAM 2 is 'mini' with the weights that come with the package. As long as none do, they are random, and so are those of
    language; a text then counts as found whatever its margin, so that every stage has something to do.

    Raises:
        InputError: a setting that does not exist, or a value that it cannot have.
    """
    given, own = list(arguments.set), ["model.name=mini"]

    def chosen() -> TrackerConfig:
        return settings(argparse.Namespace(**{**vars(arguments), "set": own + given}))

    mini = chosen().model.name == "mini"
    if mini and not MINI_SAM2.is_file():
        own.append(f"model.checkpoint={UNTRAINED}")
    random = chosen().model.checkpoint == UNTRAINED
    if mini or random:
        own += ["language.name=mini", f"language.weights={'mini' if MINI_CLIP.is_file() else UNTRAINED}"]
    if random or chosen().language.weights == UNTRAINED:
        own.append("language.min_margin=-2")
    return chosen()


def write_parameters(path: Path, config: TrackerConfig) -> None:
    """The settings that differ from the defaults, as a parameter file for the node."""
    parameters: dict[str, Any] = {}
    for name, option in flat_options().items():
        group, _, leaf = name.rpartition(".")
        value = getattr(getattr(config, group) if group else config, leaf)
        if value != option.default:
            (parameters.setdefault(group, {}) if group else parameters)[leaf] = value
    path.write_text(yaml.safe_dump({"/**": {"ros__parameters": parameters}}), encoding="utf-8")
