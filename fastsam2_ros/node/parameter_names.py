"""Parameters that were given and that the node does not have."""

from __future__ import annotations

import difflib

from rclpy.node import Node

# Those of rclpy that a node declares only where it has publishers or subscriptions that allow it.
_OF_ROS = ("qos_overrides.",)


def unknown_parameters(node: Node) -> str:
    """One sentence about parameters from files and the command line that the node has not declared; empty: none.

    A file for `/**` may hold those of other nodes, so that they are no error.
    """
    # rclpy has no public way to the names of parameters that were given and not declared.
    given = node._parameter_overrides
    declared = list(node.get_parameters_by_prefix(""))
    unknown = [name for name in given if not node.has_parameter(name) and not name.startswith(_OF_ROS)]
    return (
        f"Parameters that this node does not have: {'; '.join(_told(name, declared) for name in unknown)}."
        if unknown
        else ""
    )


def _told(name: str, declared: list[str]) -> str:
    close = difflib.get_close_matches(name, declared, n=1, cutoff=0.6)
    return f"{name} (is {close[0]} meant?)" if close else name
