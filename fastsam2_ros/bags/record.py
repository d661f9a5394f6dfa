"""`fastsam2 record`: topics of the ROS graph to a bag, bytes as they come.

DDS fills a message up to a multiple of four bytes with zeros, which the message does not notice.
"""

from __future__ import annotations

import argparse
import logging
import sys
import time
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from threading import Event
from typing import Any

from fastsam2_ros.bags.graph import joined_graph, message_class, qos_to_store, qos_to_subscribe
from fastsam2_ros.bags.write import STORAGES, BagWriter
from fastsam2_ros.errors import BagError

EXAMPLE = "fastsam2 record results_bag /fastsam2_tracker/mask /fastsam2_tracker/tracks --duration 30"

_DISCOVERY_SECONDS = 0.1
_QUEUE_DEPTH = 50

_log = logging.getLogger(__name__)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The command's arguments."""
    parser.add_argument("out", type=Path, help="folder of the new bag")
    parser.add_argument("topics", nargs="*", metavar="TOPIC", help="topics, which may appear later")
    parser.add_argument("--all", action="store_true", help="every topic that has a publisher")
    parser.add_argument("--duration", type=float, metavar="S", help="end after S seconds (default: on Ctrl-C)")
    parser.add_argument("--max-messages", type=int, metavar="N", help="end after N messages, all topics together")
    parser.add_argument("--storage", choices=STORAGES, default="mcap", help="(default: %(default)s)")


def run(arguments: argparse.Namespace) -> None:
    """Record until Ctrl-C or SIGTERM, or until enough is recorded."""
    if bool(arguments.topics) == arguments.all:
        raise BagError("Name the topics to record, or give --all.")
    with joined_graph("fastsam2_record") as (node, stop), BagWriter(arguments.out, arguments.storage) as bag:
        # Relative names follow the node's namespace, as everywhere in ROS.
        topics = [node.resolve_topic_name(topic) for topic in arguments.topics]
        recorder = Recorder(node, bag, topics)
        recorder.run(stop, duration=arguments.duration, max_messages=arguments.max_messages)
        counts = dict(bag.counts)
    for topic in topics:
        if topic not in counts:
            _log.warning("%s had no publisher and was not recorded.", topic)
    listing = ", ".join(f"{count} on {topic}" for topic, count in counts.items()) or "nothing"
    print(f"{arguments.out}: {listing}")


class Recorder:
    """Subscribes to topics as they appear and writes what comes.

    Args:
        node: of rclpy.
        bag: open for writing.
        topics: absolute names; empty: every topic with a publisher.
    """

    def __init__(self, node: Any, bag: BagWriter, topics: Sequence[str]) -> None:
        self._node = node
        self._bag = bag
        self._wanted = set(topics)
        self._seen: set[str] = set()
        self._count = 0

    def run(self, stop: Event, duration: float | None = None, max_messages: int | None = None) -> None:
        """Record until `stop` is set, `duration` seconds are over, or `max_messages` are written.

        Raises:
            BagError: a named topic's message type is not installed, or the bag cannot be written.
        """
        from rclpy.executors import SingleThreadedExecutor

        executor = SingleThreadedExecutor()
        executor.add_node(self._node)
        end = float("inf") if duration is None else time.monotonic() + duration
        most = float("inf") if max_messages is None else max_messages
        next_look = 0.0
        try:
            while not stop.is_set() and time.monotonic() < end and self._count < most:
                if time.monotonic() >= next_look:
                    self._subscribe_to_new_topics()
                    next_look = time.monotonic() + _DISCOVERY_SECONDS
                executor.spin_once(timeout_sec=_DISCOVERY_SECONDS)
                self._bag.flush_if_due()
            # What has arrived by now still belongs to the recording.
            before = -1
            while before < self._count < most:
                before = self._count
                executor.spin_once(timeout_sec=0)
        finally:
            executor.shutdown()

    def _subscribe_to_new_topics(self) -> None:
        for topic, types in self._node.get_topic_names_and_types():
            if topic in self._seen or (self._wanted and topic not in self._wanted):
                continue
            publishers = self._node.get_publishers_info_by_topic(topic)
            if not publishers:
                continue
            self._seen.add(topic)
            try:
                self._subscribe(topic, types[0], publishers)
            except BagError as error:
                if self._wanted:
                    raise
                _log.warning("%s is left out: %s", topic, error)

    def _subscribe(self, topic: str, msgtype: str, publishers: Sequence[Any]) -> None:
        kind = message_class(msgtype)
        qos = qos_to_subscribe(publishers, _QUEUE_DEPTH)
        self._bag.add_topic(topic, msgtype, [qos_to_store(qos)])
        self._node.create_subscription(kind, topic, partial(self._write, topic), qos, raw=True)
        print(f"recording {topic} ({msgtype})", file=sys.stderr, flush=True)

    def _write(self, topic: str, data: bytes) -> None:
        self._bag.write_bytes(topic, time.time_ns(), data)
        self._count += 1
