"""What replay and record share on the ROS graph: a node, stop signals, message classes, QoS. ROS is imported on use."""

from __future__ import annotations

import signal
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from importlib import import_module
from threading import Event
from typing import Any

from rosbags.interfaces import Qos, QosDurability, QosHistory, QosReliability

from fastsam2_ros.bags.write import reliable_qos
from fastsam2_ros.errors import BagError


@contextmanager
def joined_graph(node_name: str) -> Iterator[tuple[Any, Event]]:
    """A node, and an event that Ctrl-C and SIGTERM set; both are cleaned up at the end.

    Raises:
        BagError: rclpy is not there.
    """
    try:
        import rclpy
        from rclpy.signals import SignalHandlerOptions
    except ImportError as error:
        raise BagError(f"The ROS graph needs rclpy ({error}); source your ROS 2 environment first.") from error
    stop = Event()
    previous = {number: signal.signal(number, lambda *_: stop.set()) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        rclpy.init(args=[], signal_handler_options=SignalHandlerOptions.NO)
        try:
            node = rclpy.create_node(node_name)
            try:
                yield node, stop
            finally:
                node.destroy_node()
        finally:
            rclpy.try_shutdown()
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)


def message_class(msgtype: str) -> Any:
    """The Python class of a message type such as "sensor_msgs/msg/Image".

    Raises:
        BagError: its package is not installed, or has no such message.
    """
    package, _, name = msgtype.split("/")
    try:
        return getattr(import_module(f"{package}.msg"), name)
    except (ImportError, AttributeError) as error:
        raise BagError(
            f"The message {msgtype} is not installed; install its package and source its workspace."
        ) from error


def qos_to_publish(profiles: Iterable[Qos]) -> Any:
    """The rclpy QoS of a recorded topic; reliable, keep last 5 where nothing is known."""
    from rclpy.qos import DurabilityPolicy, HistoryPolicy, QoSProfile, ReliabilityPolicy

    qos = next(iter(profiles), None) or reliable_qos()
    best_effort = qos.reliability == QosReliability.BEST_EFFORT
    transient = qos.durability == QosDurability.TRANSIENT_LOCAL
    # Deadline and lifespan are left out: at another rate they would be broken.
    return QoSProfile(
        reliability=ReliabilityPolicy.BEST_EFFORT if best_effort else ReliabilityPolicy.RELIABLE,
        durability=DurabilityPolicy.TRANSIENT_LOCAL if transient else DurabilityPolicy.VOLATILE,
        history=HistoryPolicy.KEEP_ALL if qos.history == QosHistory.KEEP_ALL else HistoryPolicy.KEEP_LAST,
        depth=max(qos.depth, 5),
    )


def qos_to_subscribe(publishers: Iterable[Any], depth: int) -> Any:
    """The strictest rclpy QoS that every one of these publishers (`TopicEndpointInfo`) fulfils."""
    from rclpy.qos import DurabilityPolicy, QoSProfile, ReliabilityPolicy

    offered = [publisher.qos_profile for publisher in publishers]
    reliable = all(qos.reliability == ReliabilityPolicy.RELIABLE for qos in offered)
    transient = all(qos.durability == DurabilityPolicy.TRANSIENT_LOCAL for qos in offered)
    return QoSProfile(
        reliability=ReliabilityPolicy.RELIABLE if reliable else ReliabilityPolicy.BEST_EFFORT,
        durability=DurabilityPolicy.TRANSIENT_LOCAL if transient else DurabilityPolicy.VOLATILE,
        depth=depth,
    )


def qos_to_store(qos: Any) -> Qos:
    """What a bag says of a topic that is recorded with this rclpy QoS."""
    # The numbers are those of rmw, in rclpy as in rosbags.
    stored = reliable_qos(durability=QosDurability(int(qos.durability)))
    return stored._replace(reliability=QosReliability(int(qos.reliability)))
