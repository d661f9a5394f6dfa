"""The bond by which Nav2's lifecycle manager notices a node that has died."""

from __future__ import annotations

from importlib import import_module
from typing import Any

from rclpy.node import Node

_PERIOD, _TIMEOUT = 0.1, 4.0
"""Seconds between two heartbeats, and without one before the bond is broken: as Nav2's own nodes have them."""


def form_bond(node: Node) -> Any:
    """A bond that is being formed, whose `shutdown` breaks it; None where bondpy is not installed.

    bondpy sends heartbeats from a thread of its own, so that a long callback breaks no bond.
    """
    try:
        bondpy = import_module("bondpy.bondpy")
    except ImportError:
        return None
    # Topic and id are the manager's; without a manager, the bond gives up by itself.
    bond = bondpy.Bond(node, "bond", node.get_name())
    bond.heartbeat_period, bond.heartbeat_timeout = _PERIOD, _TIMEOUT
    bond.start()
    return bond
