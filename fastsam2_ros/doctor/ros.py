"""ROS, its message packages, DDS and what is on the graph."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from importlib import import_module
from pathlib import Path
from shutil import disk_usage
from typing import Any

from fastsam2_ros.doctor.findings import Finding, Verdict

_SOURCE = "source /opt/ros/$ROS_DISTRO/setup.bash, or make setup"
_BUILD = "colcon build --packages-select fastsam2_ros, and source install/setup.bash; or make setup"
_NEEDED = ("rclpy", "sensor_msgs.msg", "std_msgs.msg", "std_srvs.srv", "diagnostic_msgs.msg", "lifecycle_msgs.srv")
_OPTIONAL = {
    "vision_msgs.msg": ("~/detections", "vision-msgs"),
    "cv_bridge": ("rare image encodings", "cv-bridge"),
    "launch_ros": ("the launch files", "launch-ros"),
    "diagnostic_updater": ("/diagnostics with the rate of its parameter", "diagnostic-updater"),
    "bondpy": ("a bond with Nav2's lifecycle manager", "bondpy"),
}
_PROFILES = ("FASTDDS_DEFAULT_PROFILES_FILE", "FASTRTPS_DEFAULT_PROFILES_FILE")
_SHARED_MEMORY = "/dev/shm"
_SMALLEST = 256 * 2**20
"""Bytes of shared memory that a camera, the tracker and a viewer can do with."""
_IMAGES = ("sensor_msgs/msg/Image", "sensor_msgs/msg/CompressedImage")


def packages(load: Callable[[str], Any] = import_module) -> Iterator[Finding]:
    """rclpy and the message packages."""
    for name in _NEEDED:
        yield _package(name, load, Verdict.MISSING, _SOURCE)
    yield _package("fastsam2_ros.msg", load, Verdict.MISSING, _BUILD)
    for name, (use, package) in _OPTIONAL.items():
        cure = f"sudo apt install ros-$ROS_DISTRO-{package} (for {use})"
        yield _package(name, load, Verdict.OPTIONAL, cure)


def _package(name: str, load: Callable[[str], Any], verdict: Verdict, cure: str) -> Finding:
    what = name.partition(".")[0] if name != "fastsam2_ros.msg" else name
    try:
        load(name)
    except Exception as error:  # a broken installation raises all sorts of things
        return Finding(what, verdict, f"{type(error).__name__}: {error}", cure)
    return Finding(what, Verdict.GOOD, "here")


def environment(variables: Mapping[str, str] = os.environ) -> Iterator[Finding]:
    """Distribution, DDS and domain, as the environment has them."""
    distribution = variables.get("ROS_DISTRO", "")
    yield Finding("distribution", Verdict.GOOD, distribution or "none sourced; rclpy comes from Python packages")
    yield Finding("middleware", Verdict.GOOD, variables.get("RMW_IMPLEMENTATION") or "the distribution's own")
    yield Finding("domain", Verdict.GOOD, variables.get("ROS_DOMAIN_ID") or "0")
    profile = next((variables[name] for name in _PROFILES if variables.get(name)), "")
    variable = _PROFILES[distribution in ("humble", "iron", "jazzy")]
    cure = f"export {variable}=$(ros2 pkg prefix fastsam2_ros)/share/fastsam2_ros/config/fastdds.xml, for cameras too"
    if not profile:
        yield Finding("DDS profile", Verdict.OPTIONAL, "none: raw images of 720p and more get lost", cure)
    elif not Path(profile).is_file():
        yield Finding("DDS profile", Verdict.MISSING, f"{profile} is not there", cure)
    else:
        yield Finding("DDS profile", Verdict.GOOD, profile)


def shared_memory(usage: Callable[[str], Any] = disk_usage) -> Finding:
    """Where DDS puts images between processes of one machine."""
    try:
        space = usage(_SHARED_MEMORY)
    except OSError as error:
        return Finding(_SHARED_MEMORY, Verdict.OPTIONAL, f"{error}: images go over the network stack")
    found = f"{space.free / 2**20:.0f} of {space.total / 2**20:.0f} MB are free"
    if space.free >= _SMALLEST:
        return Finding(_SHARED_MEMORY, Verdict.GOOD, found)
    return Finding(_SHARED_MEMORY, Verdict.OPTIONAL, found, "docker run --ipc=host, or --shm-size=1g")


def image_topics(seconds: float) -> Iterator[Finding]:
    """Image topics that are published, with type, QoS and rate.

    Args:
        seconds: how long to listen.
    """
    try:
        import rclpy
        from rclpy.executors import SingleThreadedExecutor
    except ImportError as error:
        yield Finding("topics", Verdict.OPTIONAL, f"cannot be listened to: {error}", _SOURCE)
        return
    context = rclpy.Context()
    rclpy.init(args=[], context=context)
    try:
        node = rclpy.create_node("fastsam2_doctor", context=context)
        executor = SingleThreadedExecutor(context=context)
        executor.add_node(node)
        counts: dict[str, int] = {}
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0:
            _subscribe(node, counts)
            executor.spin_once(timeout_sec=min(0.1, left))
        if not counts:
            yield Finding("images", Verdict.OPTIONAL, f"no image topic is published (listened for {seconds:g} s)")
        for topic, count in sorted(counts.items()):
            yield topic_finding(topic, node.get_publishers_info_by_topic(topic), count, seconds)
        executor.shutdown()
        node.destroy_node()
    finally:
        rclpy.try_shutdown(context=context)


def _subscribe(node: Any, counts: dict[str, int]) -> None:
    """Count the messages of image topics that are new."""
    from rclpy.qos import QoSProfile, ReliabilityPolicy

    from fastsam2_ros.bags.graph import message_class

    for topic, kinds in node.get_topic_names_and_types():
        kind = next((kind for kind in kinds if kind in _IMAGES), None)
        if kind is None or topic in counts or not node.count_publishers(topic):
            continue
        counts[topic] = 0

        def count(_: bytes, topic: str = topic) -> None:
            counts[topic] += 1

        qos = QoSProfile(depth=10, reliability=ReliabilityPolicy.BEST_EFFORT)
        node.create_subscription(message_class(kind), topic, count, qos, raw=True)


def topic_finding(topic: str, publishers: Sequence[Any], count: int, seconds: float) -> Finding:
    """What one image topic is like.

    Args:
        topic: its name.
        publishers: `TopicEndpointInfo` of each.
        count: messages that came.
        seconds: in that time.
    """
    kinds = ", ".join(sorted({each.topic_type.rpartition("/")[2] for each in publishers})) or "no publisher any more"
    policies = ", ".join(sorted({each.qos_profile.reliability.name.lower() for each in publishers}))
    found = f"{kinds}, {policies}, {count / seconds:.1f} Hz"
    if count:
        return Finding(topic, Verdict.GOOD, found)
    return Finding(
        topic, Verdict.OPTIONAL, found, "start the camera with a DDS profile for large images (docs/commanding.md)"
    )
