"""/diagnostics: through diagnostic_updater where it is installed, else published here."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from importlib import import_module
from types import ModuleType
from typing import Any

from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus
from rclpy.clock import Clock, ClockType
from rclpy.node import Node
from std_msgs.msg import Header

from fastsam2_ros.node import qos

_PERIOD = 1.0
Entries = Mapping[str, Callable[[], DiagnosticStatus]]
"""What makes each entry, by its name."""


def publish_diagnostics(node: Node, entries: Entries) -> None:
    """Publish these entries from now on, once a second or as diagnostic_updater's own parameter says."""
    module = diagnostic_updater()
    period, publish = _with_own_publisher(node, entries) if module is None else _with_updater(node, entries, module)
    # A steady clock: simulated time may not run.
    node.create_timer(period, publish, clock=Clock(clock_type=ClockType.STEADY_TIME))


def diagnostic_updater() -> ModuleType | None:
    """The module, or None where it is not installed."""
    try:
        return import_module("diagnostic_updater")
    except ImportError:
        return None


def _with_own_publisher(node: Node, entries: Entries) -> tuple[float, Callable[[], None]]:
    publisher = qos.new_publisher(node, DiagnosticArray, "/diagnostics", qos.reliable())

    def publish() -> None:
        header = Header(stamp=node.get_clock().now().to_msg())
        publisher.publish(DiagnosticArray(header=header, status=[make() for make in entries.values()]))

    return _PERIOD, publish


def _with_updater(node: Node, entries: Entries, module: ModuleType) -> tuple[float, Callable[[], None]]:
    updater = module.Updater(node, period=_PERIOD)
    updater.timer.cancel()  # It goes by the node's clock.
    updater.setHardwareID(node.get_name())  # Each entry has its own.
    for name, make in entries.items():
        updater.add(name, lambda status, make=make: fill(status, make()))
    return updater.period, updater.force_update


def fill(status: Any, entry: DiagnosticStatus) -> Any:
    """An entry as diagnostic_updater wants it, which names entries itself.

    Args:
        status: diagnostic_updater's DiagnosticStatusWrapper.
        entry: what is to be in it.
    """
    status.summary(entry.level, entry.message)
    status.hardware_id = entry.hardware_id
    for value in entry.values:
        status.add(value.key, value.value)
    return status
