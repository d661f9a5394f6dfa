"""One run over the graph: node, recorder and replay as processes, and this one, which gives the command and watches."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from threading import Event
from typing import Any

from rich.progress import Progress

from fastsam2_ros.bags.graph import joined_graph, message_class
from fastsam2_ros.bags.result_files import LABELS_TOPIC, MASK_TOPIC, TOKENS_TOPIC, TRACKS_TOPIC
from fastsam2_ros.errors import FastSam2Error
from fastsam2_ros.lab.demo.footage import IMAGE_TOPIC, Footage
from fastsam2_ros.lab.processes import Processes
from fastsam2_ros.message_fields import stamp_to_ns
from fastsam2_ros.results import TrackState

STATUS_TOPIC = "/fastsam2_tracker/status"
DESCRIPTION_TOPIC = "/target_description"
OUTPUTS = (MASK_TOPIC, LABELS_TOPIC, TRACKS_TOPIC, TOKENS_TOPIC)
RECORDED = (IMAGE_TOPIC, *OUTPUTS, STATUS_TOPIC)

_ACCEPT_SECONDS = 30.0
_SAY_AGAIN_SECONDS = 2.0
_SILENCE_SECONDS = 20.0
"""After the last image, the node is waited for until it has been silent for so long, or for five of its steps."""


def run_session(footage: Footage, parameters: Path, recording: Path, logs: Path, progress: Progress) -> None:
    """Track through the footage over the graph.

    Args:
        footage: replayed at its own speed.
        parameters: file for the node.
        recording: bag to make, with the topics `RECORDED`.
        logs: folder for the processes' output.
        progress: gets two tasks.

    Raises:
        FastSam2Error: a process failed, or the description was refused.
        KeyboardInterrupt: on SIGINT or SIGTERM; all processes have then ended.
    """
    loading = progress.add_task("loading the models", total=1)
    with joined_graph("fastsam2_demo") as (node, stop), Processes(logs) as processes:
        processes.start("record", "fastsam2_ros.cli", "record", recording, *RECORDED)
        remap = ("-r", f"image:={IMAGE_TOPIC}", "--params-file", parameters)
        processes.start("node", "fastsam2_ros.node.main", "--ros-args", *remap)
        watcher = _Watcher(node, stop, processes)
        watcher.wait_until(lambda: watcher.status is not None and watcher.status.active)
        watcher.command(footage.description)
        watcher.wait_until(lambda: all(node.count_subscribers(topic) for topic in OUTPUTS))
        progress.update(loading, completed=1)

        tracking = progress.add_task("tracking", total=len(footage.stamps_ns))
        # For the node and the recorder, which learns of the images' topic only now.
        patience = ("--wait", "60", "--subscribers", "2")
        processes.start("replay", "fastsam2_ros.cli", "replay", footage.path, "--topics", IMAGE_TOPIC, *patience)

        def show() -> None:
            status = watcher.status
            state = TrackState(status.state).name.lower()
            text = f"{state}, keep {status.keep_ratio:.0%}, {status.dropped} dropped"
            progress.update(tracking, completed=status.received, description=text)

        watcher.wait_until(lambda: processes.ended("replay"), show)
        watcher.wait_until(lambda: watcher.stamp_ns >= footage.stamps_ns[-1] or watcher.is_silent(), show)
        received = watcher.status.received
        progress.update(tracking, description="tracking", completed=received, total=received)
        # The node first, so that nothing of it is missing in the recording.
        processes.stop("node")
        processes.stop("record")


class _Watcher:
    """Gives the description, and keeps the newest status."""

    def __init__(self, node: Any, stop: Event, processes: Processes) -> None:
        from rclpy.executors import SingleThreadedExecutor
        from rclpy.qos import DurabilityPolicy, QoSProfile, ReliabilityPolicy

        self._stop, self._processes = stop, processes
        self.status: Any = None
        self._heard = 0.0
        self._text = message_class("std_msgs/msg/String")
        reliable = QoSProfile(depth=10, reliability=ReliabilityPolicy.RELIABLE)
        latched = QoSProfile(
            depth=100, reliability=ReliabilityPolicy.RELIABLE, durability=DurabilityPolicy.TRANSIENT_LOCAL
        )
        self._description = node.create_publisher(self._text, DESCRIPTION_TOPIC, reliable)
        node.create_subscription(message_class("fastsam2_ros/msg/TrackerStatus"), STATUS_TOPIC, self._hear, latched)
        self._executor = SingleThreadedExecutor()
        self._executor.add_node(node)

    @property
    def stamp_ns(self) -> int:
        """Of the newest frame that was processed."""
        return 0 if self.status is None else stamp_to_ns(self.status.header.stamp)

    def is_silent(self) -> bool:
        """Whether the node has said nothing for so long that nothing more is to come."""
        patience = max(_SILENCE_SECONDS, 5 * self.status.processing_time)
        return time.monotonic() - self._heard > patience

    def command(self, description: str) -> None:
        """Publish the description until the node has taken it up."""
        end, again = time.monotonic() + _ACCEPT_SECONDS, 0.0
        self.wait_until(self._description.get_subscription_count)
        while not self.status.descriptions:
            if time.monotonic() > end:
                raise FastSam2Error(f"The node does not take up {description!r}. It says: {self.status.message}")
            # Said once is enough, but for a node that does not know this publisher yet; twice does no harm.
            if time.monotonic() > again:
                self._description.publish(self._text(data=description))
                again = time.monotonic() + _SAY_AGAIN_SECONDS
            self._spin()

    def wait_until(self, condition: Callable[[], Any], show: Callable[[], None] = lambda: None) -> None:
        """Spin until the condition holds."""
        while not condition():
            self._spin()
            show()

    def _spin(self) -> None:
        self._executor.spin_once(timeout_sec=0.05)
        if self._stop.is_set():
            raise KeyboardInterrupt
        if self._processes.ended("node"):
            raise FastSam2Error("The node has ended before the demo was over.")

    def _hear(self, status: Any) -> None:
        self.status = status
        self._heard = time.monotonic()
