"""The node and a peer that talks to it, on a graph of their own in this process."""

from __future__ import annotations

import array
import threading
from collections import defaultdict
from contextlib import suppress

import numpy as np
from diagnostic_msgs.msg import DiagnosticArray
from rcl_interfaces.msg import Log
from rclpy.event_handler import PublisherEventCallbacks, SubscriptionEventCallbacks
from rclpy.executors import ExternalShutdownException, SingleThreadedExecutor
from rclpy.node import Node
from rclpy.parameter import Parameter
from rclpy.qos import DurabilityPolicy, QoSProfile, ReliabilityPolicy
from sensor_msgs.msg import CompressedImage, Image, RegionOfInterest
from std_msgs.msg import Header, String

from fastsam2_ros import msg
from fastsam2_ros.node.tracker_node import TrackerNode

ALL = QoSProfile(depth=1000, reliability=ReliabilityPolicy.RELIABLE)
LATCHED = QoSProfile(depth=100, reliability=ReliabilityPolicy.RELIABLE, durability=DurabilityPolicy.TRANSIENT_LOCAL)
OUTPUTS = {
    "mask": (Image, ALL),
    "mask/compressed": (CompressedImage, ALL),
    "labels": (Image, ALL),
    "tracks": (msg.TrackedObjectArray, ALL),
    "status": (msg.TrackerStatus, LATCHED),
    "overlay": (Image, ALL),
    "tokens": (Image, ALL),
}


class ObservedNode(TrackerNode):
    """Tells which topic's callback has taken a message."""

    def __init__(self, on_taken, make_tracker, **arguments):
        self.on_taken = on_taken
        super().__init__(make_tracker, **arguments)

    def create_subscription(self, kind, topic, callback, *others, **options):
        def take(message):
            callback(message)
            self.on_taken(self.resolve_topic_name(topic), message)

        return super().create_subscription(kind, topic, take, *others, **options)


class Graph:
    """Everything that the node publishes is kept in `heard`, by topic, and what its callbacks took in `taken`, by full name.

    `wait_for` waits for what is to come. `make_tracker` is what the node loads its models by.
    """

    def __init__(self, context, tracker, *, subscribe=tuple(OUTPUTS), namespace="", **values):
        parameters = [Parameter(name, value=value) for name, value in values.items()]
        self.heard, self.taken = defaultdict(list), defaultdict(list)
        self._changed = threading.Condition()
        self.make_tracker = lambda config: tracker
        self.node = ObservedNode(
            self._take,
            self._load,
            context=context,
            parameter_overrides=parameters,
            namespace=namespace,
        )
        self.peer = Node("peer", context=context, namespace=namespace)
        matched = PublisherEventCallbacks(matched=self.notify)
        subscribed = SubscriptionEventCallbacks(matched=self.notify)
        compressed = values.get("image_transport") == "compressed"
        type_, topic = (CompressedImage, "image/compressed") if compressed else (Image, "image")
        before = {name: f"{name}/" if name else "" for name in values.get("cameras", [""])}

        def publishers(kind, name):
            return {
                camera: self.peer.create_publisher(kind, prefix + name, 10, event_callbacks=matched)
                for camera, prefix in before.items()
            }

        self.images, self.boxes = publishers(type_, topic), publishers(RegionOfInterest, "target_box")
        self.image, self.box = next(iter(self.images.values())), next(iter(self.boxes.values()))
        self.description = self.peer.create_publisher(String, "target_description", 10, event_callbacks=matched)
        self.examples = publishers(Image, "target_example")
        self.example = next(iter(self.examples.values()))
        inputs = (*self.images.values(), self.description, *self.boxes.values(), *self.examples.values())
        topics = {
            prefix + name: (f"fastsam2_tracker/{prefix}{name}", *OUTPUTS[name])
            for name in subscribe
            for prefix in before.values()
        }
        topics |= {"log": ("/rosout", Log, LATCHED), "diagnostics": ("/diagnostics", DiagnosticArray, ALL)}
        outputs = [
            self.peer.create_subscription(type_, topic, self.keep(name), qos, event_callbacks=subscribed)
            for name, (topic, type_, qos) in topics.items()
        ]
        self.executor = SingleThreadedExecutor(context=context)
        self.executor.add_node(self.node)
        self.executor.add_node(self.peer)
        self._thread = threading.Thread(target=self._spin)
        self._thread.start()
        self.node.start()
        awaited = inputs if values.get("autostart", True) else inputs[len(before) :]  # Images are taken while active.
        self.wait_for(lambda: all(publisher.get_subscription_count() for publisher in awaited))
        self.wait_for(lambda: all(subscription.get_publisher_count() for subscription in outputs))

    def _load(self, config):
        return self.make_tracker(config)

    def _spin(self):
        with suppress(ExternalShutdownException):
            self.executor.spin()

    def notify(self, *_):
        with self._changed:
            self._changed.notify_all()

    def keep(self, name):
        def keep(message):
            with self._changed:
                self.heard[name].append(message)
                self._changed.notify_all()

        return keep

    def _take(self, topic, message):
        with self._changed:
            self.taken[topic].append(message)
            self._changed.notify_all()

    def in_executor(self, function):
        """What the function gives in the executor's own thread, between two looks at what is ready.

        An `ActionClient` must be made there: rclpy adds it to its node before it is whole, and a look then ends the executor.
        """
        task = self.executor.create_task(function)
        task.add_done_callback(self.notify)
        self.wait_for(task.done)
        return task.result()

    def wait_for(self, condition, timeout=30.0):
        with self._changed:
            assert self._changed.wait_for(condition, timeout), f"it did not happen within {timeout} s"

    def wait_for_status(self, condition, camera=""):
        """The first status of a camera, of those heard and those to come, that meets the condition."""
        statuses = self.heard[f"{camera}/status" if camera else "status"]
        self.wait_for(lambda: any(condition(status) for status in statuses))
        return next(status for status in statuses if condition(status))

    def wait_for_diagnostics(self, condition):
        """The first of the node's diagnostics, of those heard and those to come, that meets the condition."""

        def entries():
            return [entry for message in self.heard["diagnostics"] for entry in message.status]

        self.wait_for(lambda: any(condition(entry) for entry in entries()))
        return next(entry for entry in entries() if condition(entry))

    def wait_for_text(self):
        """Until the node has taken a description."""
        self.wait_for(lambda: self.taken["/target_description"])

    def log(self, level=Log.WARN):
        return [line.msg for line in self.heard["log"] if line.level >= level]

    def say(self, text):
        self.description.publish(String(data=text))

    def send(self, stamp, size=(48, 64), camera="", **fields):
        (self.images[camera] if camera else self.image).publish(image(stamp, size, **fields))

    def send_good(self, stamp, size=(48, 64), camera=""):
        """Send an image, as soon as images are taken, and wait until it was processed; stamp: above 0, which is that of the
        first status.
        """
        self.wait_for_status(lambda status: status.active, camera)
        self.send(stamp, size, camera)
        return self.wait_for_status(lambda status: status.header.stamp == header(stamp).stamp, camera)

    def close(self):
        self.executor.shutdown()
        self._thread.join()
        self.node.close()
        self.peer.destroy_node()


def header(stamp):
    """stamp: milliseconds."""
    header = Header(frame_id="camera")
    header.stamp.sec, milliseconds = divmod(stamp, 1000)
    header.stamp.nanosec = milliseconds * 1_000_000
    return header


def image(stamp, size=(48, 64), **fields):
    """A grey rgb8 image; stamp: milliseconds."""
    height, width = size
    data = array.array("B", np.full(height * width * 3, 128, np.uint8).tobytes())
    good = {"height": height, "width": width, "encoding": "rgb8", "step": width * 3, "data": data}
    return Image(header=header(stamp), **{**good, **fields})
