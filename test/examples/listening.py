"""Hears what an example publishes."""

import threading
from collections import defaultdict
from contextlib import suppress
from pathlib import Path

from node.graph import ALL
from rclpy.event_handler import SubscriptionEventCallbacks
from rclpy.executors import ExternalShutdownException, SingleThreadedExecutor
from rclpy.node import Node

ROOT = Path(__file__).resolve().parents[2]


class Listener:
    """Everything is kept in `heard`, by topic; `wait_for` waits for what is to come."""

    def __init__(self, context, topics):
        self.heard = defaultdict(list)
        self._changed = threading.Condition()
        self._node = Node("listener", context=context)
        matched = SubscriptionEventCallbacks(matched=self._notify)
        self._subscriptions = [
            self._node.create_subscription(type_, topic, self._keep(topic), ALL, event_callbacks=matched)
            for topic, type_ in topics.items()
        ]
        self._executor = SingleThreadedExecutor(context=context)
        self._executor.add_node(self._node)
        self._thread = threading.Thread(target=self._spin)
        self._thread.start()

    def wait_for_publishers(self):
        self.wait_for(lambda: all(each.get_publisher_count() for each in self._subscriptions))

    def wait_for(self, condition, timeout=60.0):
        with self._changed:
            assert self._changed.wait_for(condition, timeout), f"it did not happen within {timeout} s"

    def close(self):
        self._executor.shutdown()
        self._thread.join()
        self._node.destroy_node()

    def _spin(self):
        with suppress(ExternalShutdownException):
            self._executor.spin()

    def _notify(self, _):
        with self._changed:
            self._changed.notify_all()

    def _keep(self, topic):
        def keep(message):
            with self._changed:
                self.heard[topic].append(message)
                self._changed.notify_all()

        return keep
