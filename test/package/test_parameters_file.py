"""config/tracker.yaml against the settings in the code."""

from __future__ import annotations

from dataclasses import fields

import pytest
import yaml

from .project import ROOT, load

pytest.importorskip("rclpy", reason="the node's own parameters need rclpy")

from fastsam2_ros.config import flat_options
from fastsam2_ros.node.parameters import NodeConfig


def flatten(tree: dict, prefix: str = "") -> dict:
    flat = {}
    for name, value in tree.items():
        flat |= flatten(value, f"{prefix}{name}.") if isinstance(value, dict) else {prefix + name: value}
    return flat


def test_holds_every_parameter_with_its_default():
    written = yaml.safe_load((ROOT / "config/tracker.yaml").read_text())["/**"]["ros__parameters"]
    defaults = {name: field.default for name, field in flat_options().items()}
    defaults |= {field.name: field.default for field in fields(NodeConfig)}
    assert {name: (value, type(value)) for name, value in flatten(written).items()} == {
        name: (value, type(value)) for name, value in defaults.items()
    }, "write it anew: scripts/run python scripts/write_parameters.py"


def test_comments_are_those_of_the_code():
    assert (ROOT / "config/tracker.yaml").read_text() == load("scripts/write_parameters.py").text(), (
        "write it anew: scripts/run python scripts/write_parameters.py"
    )
