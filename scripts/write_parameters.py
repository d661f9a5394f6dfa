#!/usr/bin/env python3
"""Writes config/tracker.yaml and docs/parameters.md from the settings in the code.

scripts/run python scripts/write_parameters.py
"""

from __future__ import annotations

import json
import textwrap
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from fastsam2_ros.config import flat_options
from fastsam2_ros.node.parameters import OWN, sentence

ROOT = Path(__file__).resolve().parent.parent
YAML, MARKDOWN = ROOT / "config" / "tracker.yaml", ROOT / "docs" / "parameters.md"

HEAD = """\
# The node's parameters and their defaults, written by scripts/write_parameters.py. To change some, put them into a file
# of your own, in the same form, and name it to the launch file:
#     ros2 launch fastsam2_ros track.launch.py params_file:=/path/to/yours.yaml
# All but those that are "read when the models are loaded" can be changed at any time, with `ros2 param set` or rqt; what
# is set takes effect with the next frame.
/**:
  ros__parameters:
"""

PAGE = """\
# Parameters

Written by `scripts/write_parameters.py` from the settings in the code, as [config/tracker.yaml](../config/tracker.yaml) is.

- On a robot they are parameters of the node `fastsam2_tracker`. Put those that you change into a file of the form of
  config/tracker.yaml: `ros2 launch fastsam2_ros track.launch.py params_file:=/path/to/yours.yaml`.
- `fastsam2 track`, `evaluate` and `ablate` take all but those of the node: `--set pruning.keep_ratio=0.25`.
- In Python they are the fields of `TrackerConfig`; `fastsam2_ros.config.from_mapping({"pruning.keep_ratio": 0.25})` makes one.
  `TextTracker.reconfigure` takes another one while tracking, but for what is read when the models are loaded.

[How it works](how-it-works.md) explains the terms.
"""

TITLES = {"": "Tracker", "model": "Model", "pruning": "Pruning", "language": "Language"}
"""Headings of the groups of settings."""


def yaml_text() -> str:
    """config/tracker.yaml: every parameter with its description, range and default."""
    options = OWN | flat_options()
    lines, last_group = [], ""
    # Those without a group come first: YAML cannot go back to the outer level without a key.
    for name in sorted(options, key=lambda name: "." in name):
        group, _, leaf = name.rpartition(".")
        if group != last_group:
            lines += ["", f"    {group}:"]
            last_group = group
        indent = " " * (6 if group else 4)
        comment = describe(options[name].metadata)
        lines += textwrap.wrap(comment, 118, initial_indent=f"{indent}# ", subsequent_indent=f"{indent}# ")
        lines.append(f"{indent}{leaf}: {json.dumps(options[name].default)}")
    return HEAD + "\n".join(lines) + "\n"


def markdown_text() -> str:
    """docs/parameters.md: a table for the node's own parameters and for each group of settings."""
    parts = [PAGE.strip(), table("Node", OWN)]
    for group, title in TITLES.items():
        parts.append(table(title, {n: item for n, item in flat_options().items() if n.rpartition(".")[0] == group}))
    return "\n\n".join(parts) + "\n"


def table(title: str, options: Mapping[str, Any]) -> str:
    """A section with its heading."""
    lines = [f"## {title}", "", "| parameter | default | range | |", "|---|---|---|---|"]
    for name, item in options.items():
        cells = (f"`{name}`", f"`{json.dumps(item.default)}`", bounds(item.metadata), sentence(item.metadata))
        lines.append(f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} |")
    return "\n".join(lines)


def bounds(metadata: Mapping[str, Any]) -> str:
    """What a setting may be, in a few characters; empty where anything."""
    low, high = metadata["minimum"], metadata["maximum"]
    if metadata["choices"]:
        return ", ".join(metadata["choices"])
    if low is not None and high is not None:
        return f"{low:g} to {high:g}"
    return "" if low is None else f"from {low:g} on"


def describe(metadata: Mapping[str, Any]) -> str:
    """A setting's description with what it may be."""
    words = sentence(metadata)
    low, high = metadata["minimum"], metadata["maximum"]
    if low is not None and high is not None:
        return f"{words} Range: {low} to {high}."
    return words if low is None else f"{words} At least {low}."


if __name__ == "__main__":
    YAML.write_text(yaml_text())
    MARKDOWN.write_text(markdown_text())
