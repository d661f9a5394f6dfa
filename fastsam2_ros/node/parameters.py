"""The node's parameters: one for each field of `TrackerConfig`, and a few of its own."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from typing import Any

from rcl_interfaces.msg import FloatingPointRange, IntegerRange, ParameterDescriptor
from rclpy.node import Node

from fastsam2_ros.config import (
    KINDS,
    TrackerConfig,
    check,
    fixed_differences,
    flat_options,
    flat_values,
    from_mapping,
    option,
)
from fastsam2_ros.errors import InputError
from fastsam2_ros.node.addressing import check_cameras
from fastsam2_ros.node.parameter_names import unknown_parameters

_LARGEST = {int: 2**63 - 1, float: sys.float_info.max}


@dataclass(frozen=True)
class NodeConfig:
    """What only the node needs."""

    image_transport: str = option(
        "raw",
        "raw: sensor_msgs/Image on image; compressed: sensor_msgs/CompressedImage on image/compressed.",
        choices=("raw", "compressed"),
        live=False,
    )
    image_reliability: str = option(
        "best_effort",
        "best_effort: the newest image, whatever is lost; works with every camera. reliable: lost images are sent again, as "
        "suits a bag; takes none from a camera that offers best effort.",
        choices=("best_effort", "reliable"),
        live=False,
    )
    finder: str = option(
        "clip",
        "What finds targets by their texts. clip: the language model; detections: a detector's boxes, "
        "vision_msgs/Detection2DArray on target_detections, whose class names are compared with the description.",
        choices=("clip", "detections"),
        live=False,
    )
    description: str = option("", "What to look for from the start; later by the topic target_description.", live=False)
    cameras: tuple[str, ...] = option(
        (),
        "Names of several cameras, such as [front, left]: images come on front/image, results go to ~/front/mask and so on. "
        "All share one model; each has its own targets. Empty: one camera, on image. Read when the node starts.",
    )
    autostart: bool = option(
        True,
        "Load the models and begin to work by itself. false: a lifecycle manager, such as Nav2's, configures and activates "
        "the node.",
        live=False,
    )
    use_depth: bool = option(
        False,
        "Positions in 3-D: subscribe to depth and camera_info (docs/positions.md). The launch argument depth sets it.",
        live=False,
    )
    depth_image_transport: str = option(
        "raw",
        "raw: sensor_msgs/Image on depth; compressedDepth: sensor_msgs/CompressedImage on depth/compressedDepth.",
        choices=("raw", "compressedDepth"),
        live=False,
    )
    depth_tolerance: float = option(
        0.02,
        "Greatest difference between the stamps of an image and of its depth image, seconds.",
        minimum=0.0,
        maximum=10.0,
        live=False,
    )
    publish_tf: bool = option(
        False, "Publish a TF frame at the position of each target; needs use_depth and tf2_ros.", live=False
    )


OWN = {field.name: field for field in fields(NodeConfig)}
"""Fields of `NodeConfig` by name."""


def declare(node: Node) -> tuple[TrackerConfig, NodeConfig]:
    """Declare every parameter and read it.

    Raises:
        InputError: a value of the wrong type or out of its range.
    """
    values = {name: _declare(node, name, field) for name, field in {**flat_options(), **OWN}.items()}
    config = NodeConfig(**{name: values.pop(name) for name in OWN})
    check(config)
    check_cameras(config.cameras)
    if unknown := unknown_parameters(node):
        node.get_logger().warning(unknown)
    return from_mapping(values), config


def changed(
    config: TrackerConfig, own: NodeConfig, values: Mapping[str, Any], *, loaded: bool
) -> tuple[TrackerConfig, NodeConfig]:
    """The settings with other values.

    Args:
        config, own: as they are.
        values: by the name of the parameter; names of other parameters are passed over.
        loaded: the models are, so that what is read while they load can change no more.

    Raises:
        InputError: a value of the wrong type, out of its range, or one that cannot change now; says why.
    """
    options = {**flat_options(), **OWN}
    known = {name: typed(name, value, options[name].default) for name, value in values.items() if name in options}
    new_own = replace(own, **{name: value for name, value in known.items() if name in OWN})
    check(new_own)
    if new_own.cameras != own.cameras:
        raise InputError("cameras is read when the node starts: start it again with others.")
    new = from_mapping({**flat_values(config), **{name: value for name, value in known.items() if name not in OWN}})
    fixed = [*fixed_differences(config, new), *(name for name in OWN if getattr(own, name) != getattr(new_own, name))]
    if loaded and fixed:
        raise InputError(
            f"{', '.join(fixed)}: read when the node is configured. Clean it up first (deactivate, cleanup), set it, then "
            "configure and activate it again; or restart the node."
            + (" What to look for is told on the topic target_description." if "description" in fixed else "")
        )
    return new, new_own


def describe(name: str, default: Any, metadata: Mapping[str, Any]) -> ParameterDescriptor:
    """The descriptor of one setting: text, range, choices.

    Args:
        name: dotted name.
        default: bool, int, float or str.
        metadata: of `config.option`.
    """
    descriptor = ParameterDescriptor(
        name=name,
        description=sentence(metadata),
        additional_constraints=", ".join(metadata["choices"]) and "One of: " + ", ".join(metadata["choices"]),
        # A number without a point is an integer in YAML and on the command line: `typed` makes it a float.
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


def sentence(metadata: Mapping[str, Any]) -> str:
    """The description of a setting, with what it takes to change it."""
    return f"{metadata['description']}{'' if metadata['live'] else ' Read when the models are loaded.'}"


def _declare(node: Node, name: str, field: Any) -> Any:
    descriptor = describe(name, field.default, field.metadata)
    default = list(field.default) if isinstance(field.default, tuple) else field.default
    return typed(name, node.declare_parameter(name, default, descriptor).value, field.default)


def typed(name: str, value: Any, default: Any) -> Any:
    """`value` in the type of `default`; whole numbers become floats where the setting is one, and lists of texts tuples.

    Raises:
        InputError: it is of another type.
    """
    if isinstance(default, float) and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if isinstance(default, tuple) and (value is None or isinstance(value, (list, tuple))):
        # ROS's files know no empty list of texts: it arrives as nothing, or is written as one empty text.
        value = tuple(each for each in value or () if each != "")
        if all(isinstance(each, str) for each in value):
            return value
    if type(value) is not type(default) or isinstance(default, tuple):
        hint = " Put it in quotes." if isinstance(default, str) else ""
        raise InputError(f"The parameter {name} is {value!r}; it must be {KINDS[type(default)]}.{hint}")
    return value
