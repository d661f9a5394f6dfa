"""config/tracker.yaml and docs/parameters.md against the settings in the code."""

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
    defaults |= {name: list(value) for name, value in defaults.items() if isinstance(value, tuple)}  # as YAML has them
    assert {name: (value, type(value)) for name, value in flatten(written).items()} == {
        name: (value, type(value)) for name, value in defaults.items()
    }, "write it anew: scripts/run python scripts/write_parameters.py"


@pytest.mark.parametrize(
    ("path", "make"), [("config/tracker.yaml", "yaml_text"), ("docs/parameters.md", "markdown_text")]
)
def test_is_what_the_script_writes(path, make):
    written = getattr(load("scripts/write_parameters.py"), make)()
    assert (ROOT / path).read_text() == written, "write it anew: scripts/run python scripts/write_parameters.py"


def test_every_parameter_has_a_line_in_the_tables():
    lines = (ROOT / "docs/parameters.md").read_text().splitlines()
    for name in [*flat_options(), *(field.name for field in fields(NodeConfig))]:
        assert sum(line.startswith(f"| `{name}` |") for line in lines) == 1, name
