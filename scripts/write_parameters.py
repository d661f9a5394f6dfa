#!/usr/bin/env python3
"""Writes config/tracker.yaml from the settings in the code: scripts/run python scripts/write_parameters.py."""

from __future__ import annotations

import json
import textwrap
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from fastsam2_ros.config import flat_options
from fastsam2_ros.node.parameters import OWN, sentence

PATH = Path(__file__).resolve().parent.parent / "config" / "tracker.yaml"

HEAD = """\
# The node's parameters and their defaults, written by scripts/write_parameters.py. To change some, put them into a file
# of your own, in the same form, and name it to the launch file:
#     ros2 launch fastsam2_ros track.launch.py params_file:=/path/to/yours.yaml
# All but those that are "read when the node is configured" can be changed at any time, with `ros2 param set` or rqt; what
# is set takes effect with the next frame.
/**:
  ros__parameters:
"""


def text() -> str:
    """The whole file: every parameter with its description, range and default."""
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


def describe(metadata: Mapping[str, Any]) -> str:
    """A setting's description with what it may be."""
    words = sentence(metadata)
    low, high = metadata["minimum"], metadata["maximum"]
    if low is not None and high is not None:
        return f"{words} Range: {low} to {high}."
    return words if low is None else f"{words} At least {low}."


if __name__ == "__main__":
    PATH.write_text(text())
