"""The node's parameters: one for each field of `TrackerConfig`, and a few of its own."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

from rcl_interfaces.msg import FloatingPointRange, IntegerRange, ParameterDescriptor
from rclpy.node import Node

from fastsam2_ros.config import KINDS, TrackerConfig, check, flat_options, from_mapping, option
from fastsam2_ros.errors import InputError
from fastsam2_ros.node.parameter_names import unknown_parameters

_LARGEST = {int: 2**63 - 1, float: sys.float_info.max}


@dataclass(frozen=True)
class NodeConfig:
    """What only the node needs."""

    image_transport: str = option(
        "raw",
        "raw: sensor_msgs/Image on image; compressed: sensor_msgs/CompressedImage on image/compressed.",
        choices=("raw", "compressed"),
    )
    description: str = option("", "What to look for from the start; later by the topic target_description.")


def declare(node: Node) -> tuple[TrackerConfig, NodeConfig]:
    """Declare every parameter and read it. None can be changed while the node runs.

    Raises:
        InputError: a value of the wrong type or out of its range.
    """
    own = {field.name: field for field in fields(NodeConfig)}
    values = {name: _declare(node, name, field) for name, field in {**flat_options(), **own}.items()}
    config = NodeConfig(**{name: values.pop(name) for name in own})
    check(config)
    if unknown := unknown_parameters(node):
        node.get_logger().warning(unknown)
    return from_mapping(values), config


def describe(name: str, default: Any, metadata: Mapping[str, Any]) -> ParameterDescriptor:
    """The descriptor of one setting: text, range, choices; read-only.

    Args:
        name: dotted name.
        default: bool, int, float or str.
        metadata: of `config.option`.
    """
    descriptor = ParameterDescriptor(
        name=name,
        description=metadata["description"],
        additional_constraints=", ".join(metadata["choices"]) and "One of: " + ", ".join(metadata["choices"]),
        read_only=True,
        # A number without a point is an integer in YAML and on the command line: _read makes it a float.
        dynamic_typing=True,
    )
    low, high = metadata["minimum"], metadata["maximum"]
    largest = _LARGEST.get(type(default))
    if largest is None or (low is None and high is None):
        return descriptor
    low, high = -largest if low is None else low, largest if high is None else high
    if isinstance(default, float):
        descriptor.floating_point_range = [FloatingPointRange(from_value=float(low), to_value=float(high))]
    else:
        descriptor.integer_range = [IntegerRange(from_value=int(low), to_value=int(high))]
    return descriptor


def _declare(node: Node, name: str, field: Any) -> Any:
    descriptor = describe(name, field.default, field.metadata)
    return typed(name, node.declare_parameter(name, field.default, descriptor).value, field.default)


def typed(name: str, value: Any, default: Any) -> Any:
    """`value` in the type of `default`; whole numbers become floats where the setting is one.

    Raises:
        InputError: it is of another type.
    """
    if isinstance(default, float) and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if type(value) is not type(default):
        hint = " Put it in quotes." if isinstance(default, str) else ""
        raise InputError(f"The parameter {name} is {value!r}; it must be {KINDS[type(default)]}.{hint}")
    return value
