"""Publishers and subscriptions whose quality of service can be overridden, and which of them find no match."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from rclpy.node import Node
from rclpy.publisher import Publisher
from rclpy.qos import DurabilityPolicy, QoSPolicyKind, QoSProfile, ReliabilityPolicy
from rclpy.qos_overriding_options import InvalidQosOverridesError, QoSOverridingOptions
from rclpy.subscription import Subscription

from fastsam2_ros.errors import InputError

# ROS's own parameters: qos_overrides./fastsam2_tracker/mask.publisher.reliability and the like.
_OVERRIDES = QoSOverridingOptions(
    (QoSPolicyKind.HISTORY, QoSPolicyKind.DEPTH, QoSPolicyKind.RELIABILITY, QoSPolicyKind.DURABILITY)
)


def reliable() -> QoSProfile:
    """For results and commands."""
    return QoSProfile(depth=10, reliability=ReliabilityPolicy.RELIABLE)


def latched() -> QoSProfile:
    """For what late subscribers have to know too."""
    return QoSProfile(depth=1, reliability=ReliabilityPolicy.RELIABLE, durability=DurabilityPolicy.TRANSIENT_LOCAL)


def newest(reliability: str, count: int = 1) -> QoSProfile:
    """For images. reliability: best_effort or reliable; count: how many may wait."""
    return QoSProfile(depth=count, reliability=ReliabilityPolicy.get_from_short_key(reliability))


def new_publisher(node: Node, kind: type[Any], topic: str, profile: QoSProfile) -> Publisher[Any]:
    """A publisher; `profile` becomes what it offers, overrides included. Raises `InputError` where one makes no sense."""
    try:
        return node.create_publisher(kind, topic, profile, qos_overriding_options=_OVERRIDES)
    except (RuntimeError, InvalidQosOverridesError) as error:
        raise _told(node, topic, error) from error


def new_subscription(
    node: Node, kind: type[Any], topic: str, callback: Callable[[Any], None], profile: QoSProfile
) -> Subscription[Any]:
    """A subscription; `profile` becomes what it asks for, overrides included. Raises `InputError` where one makes no sense."""
    try:
        return node.create_subscription(kind, topic, callback, profile, qos_overriding_options=_OVERRIDES)
    except (RuntimeError, InvalidQosOverridesError) as error:
        raise _told(node, topic, error) from error


def _told(node: Node, topic: str, error: Exception) -> InputError:
    return InputError(f"qos_overrides.{node.resolve_topic_name(topic)}: {error}; see docs/commanding.md, Topics.")


def unheard(node: Node, topic: str, wanted: QoSProfile) -> str:
    """One sentence about a publisher of images that offers less than the subscription asks for; empty: there is none.

    Args:
        node: who asks.
        topic: resolved name.
        wanted: what the subscription asks for.
    """
    for offer in node.get_publishers_info_by_topic(topic):
        if reason := _mismatch(offer.qos_profile, wanted):
            return (
                f"The publisher {offer.node_name} of {topic} offers less than is asked for ({reason}), so that its images do "
                "not come: set image_reliability to best_effort."
            )
    return ""


def unserved(node: Node, publishers: list[Publisher[Any]]) -> str:
    """One sentence about subscribers that ask for more than a publisher offers; empty: there are none."""
    for publisher in publishers:
        for wish in node.get_subscriptions_info_by_topic(publisher.topic_name):
            if reason := _mismatch(publisher.qos_profile, wish.qos_profile):
                return (
                    f"The subscriber {wish.node_name} of {publisher.topic_name} asks for more than is offered ({reason}), so "
                    "that nothing comes to it: let it ask for less, or override what is offered with "
                    f"qos_overrides.{publisher.topic_name}.publisher."
                )
    return ""


def _mismatch(offered: QoSProfile, wanted: QoSProfile) -> str:
    # Not `qos_check_compatible`: it takes a node's own unset deadline for less than the infinite one that the graph tells.
    if wanted.reliability == ReliabilityPolicy.RELIABLE and offered.reliability == ReliabilityPolicy.BEST_EFFORT:
        return "reliable is asked for, best effort is offered"
    if wanted.durability == DurabilityPolicy.TRANSIENT_LOCAL and offered.durability == DurabilityPolicy.VOLATILE:
        return "transient local is asked for, volatile is offered"
    return ""
