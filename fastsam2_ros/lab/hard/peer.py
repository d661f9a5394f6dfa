"""The other side of the node: a camera, somebody who commands, and somebody who listens."""

from __future__ import annotations

import array
import threading
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from types import TracebackType
from typing import Any

import cv2
import numpy as np
from builtin_interfaces.msg import Time
from diagnostic_msgs.msg import DiagnosticArray
from lifecycle_msgs.msg import Transition
from lifecycle_msgs.srv import ChangeState
from rcl_interfaces.msg import Parameter, ParameterType, ParameterValue
from rcl_interfaces.srv import SetParameters
from rclpy.executors import ExternalShutdownException, SingleThreadedExecutor
from rclpy.qos import DurabilityPolicy, QoSProfile, ReliabilityPolicy, qos_profile_parameters
from rosgraph_msgs.msg import Clock
from sensor_msgs.msg import CompressedImage, Image, RegionOfInterest
from std_msgs.msg import Header, String
from std_srvs.srv import Trigger

from fastsam2_ros import msg
from fastsam2_ros.errors import FastSam2Error
from fastsam2_ros.images import RgbImage
from fastsam2_ros.message_fields import stamp_to_ns

NODE = "fastsam2_tracker"
_KEPT = 2000
_ALL = QoSProfile(depth=1000, reliability=ReliabilityPolicy.RELIABLE)
_LATCHED = QoSProfile(depth=100, reliability=ReliabilityPolicy.RELIABLE, durability=DurabilityPolicy.TRANSIENT_LOCAL)
_OUTPUTS = {
    "status": (f"{NODE}/status", msg.TrackerStatus, _LATCHED),
    "mask": (f"{NODE}/mask", Image, _ALL),
    "tracks": (f"{NODE}/tracks", msg.TrackedObjectArray, _ALL),
    "diagnostics": ("/diagnostics", DiagnosticArray, _ALL),
}


class Peer:
    """Publishes what the node subscribes to, and keeps the newest of what it publishes; a thread of its own spins.

    Args:
        node: of rclpy, which nobody spins.

    Attributes:
        heard: newest messages by output: status, mask, tracks, diagnostics.
    """

    def __init__(self, node: Any) -> None:
        self._node = node
        self._changed = threading.Condition()
        self.heard: dict[str, deque[Any]] = {name: deque(maxlen=_KEPT) for name in _OUTPUTS}
        self._image = node.create_publisher(Image, "image", 10)
        self._compressed = node.create_publisher(CompressedImage, "image/compressed", 10)
        self._description = node.create_publisher(String, "target_description", 10)
        self._box = node.create_publisher(RegionOfInterest, "target_box", 10)
        self._clock = node.create_publisher(Clock, "/clock", 10)
        for name, (topic, kind, qos) in _OUTPUTS.items():
            node.create_subscription(kind, topic, self._keep(name), qos)
        self._reset = node.create_client(Trigger, f"{NODE}/reset", qos_profile=qos_profile_parameters)
        self._parameters = node.create_client(SetParameters, f"{NODE}/set_parameters")
        self._transition = node.create_client(ChangeState, f"{NODE}/change_state")
        self._executor = SingleThreadedExecutor()
        self._executor.add_node(node)
        self._thread = threading.Thread(target=self._spin, name="peer")
        self._thread.start()

    def __enter__(self) -> Peer:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._executor.shutdown()
        self._thread.join()

    def wait_until(self, condition: Callable[[], Any], what: str, seconds: float) -> None:
        """Wait until the condition holds, which is looked at with each message, and now and then.

        Raises:
            FastSam2Error: it does not within so many seconds; says `what` did not happen.
        """
        with self._changed:
            rounds = max(1, round(seconds / 0.2))
            if not any(self._changed.wait_for(condition, 0.2) for _ in range(rounds)):
                raise FastSam2Error(f"Not within {seconds:.0f} s: {what}.")

    @property
    def status(self) -> Any:
        """The newest one; None before the first."""
        return self.heard["status"][-1] if self.heard["status"] else None

    def wait_until_active(self, seconds: float = 400.0, *, compressed: bool = False) -> None:
        """Wait until the node takes images, raw or compressed ones, and knows this side."""
        publishers = (self._compressed if compressed else self._image, self._description, self._box)
        self.wait_until(
            lambda: self.status and self.status.active and all(each.get_subscription_count() for each in publishers),
            "the node is active",
            seconds,
        )

    def describe(self, text: str) -> None:
        """Publish a description."""
        self._description.publish(String(data=text))

    def give_box(self, x: int, y: int, width: int, height: int) -> None:
        """Publish a box, pixels."""
        self._box.publish(RegionOfInterest(x_offset=x, y_offset=y, width=width, height=height))

    def send(self, stamp_ns: int, rgb: RgbImage, **fields: Any) -> None:
        """Publish an image; fields of the message may be others than the image has."""
        self._image.publish(image(stamp_ns, rgb, **fields))

    def send_file(self, stamp_ns: int, data: bytes, format: str = "png") -> None:
        """Publish a compressed image: the bytes of a file, or any others."""
        filled = array.array("B", data)
        self._compressed.publish(CompressedImage(header=header(stamp_ns), format=format, data=filled))

    def send_jpeg(self, stamp_ns: int, rgb: RgbImage) -> None:
        """Publish an image as JPEG."""
        data = cv2.imencode(".jpg", cv2.cvtColor(rgb, cv2.COLOR_RGB2BGR))[1].tobytes()
        self.send_file(stamp_ns, data, "rgb8; jpeg compressed bgr8")

    def tick(self, seconds: int) -> None:
        """Publish a simulated time."""
        self._clock.publish(Clock(clock=Time(sec=seconds)))

    def reset(self) -> Any:
        """Have all targets forgotten; the future of the answer."""
        return self._reset.call_async(Trigger.Request())

    def set_parameters(self, **values: Any) -> Any:
        """Set parameters, with __ for the point in their names; the future of the answer."""
        listing = [Parameter(name=name.replace("__", "."), value=_value(value)) for name, value in values.items()]
        return self._parameters.call_async(SetParameters.Request(parameters=listing))

    def change_state(self, transition: int) -> Any:
        """Ask for a transition of the life cycle, a constant of lifecycle_msgs/Transition; the future of the answer."""
        return self._transition.call_async(ChangeState.Request(transition=Transition(id=transition)))

    def result(self, future: Any, seconds: float = 30.0) -> Any:
        """What a service answered."""
        self.wait_until(future.done, "a service answers", seconds)
        return future.result()

    def subscribe(self, topic: str, callback: Callable[[Any], None], kind: Any = Image) -> Callable[[], None]:
        """Subscribe to one more of the node's topics, such as overlay; what ends it again."""
        subscription = self._node.create_subscription(kind, f"{NODE}/{topic}", callback, _ALL)
        return lambda: self._node.destroy_subscription(subscription)

    def _keep(self, name: str) -> Callable[[Any], None]:
        def keep(message: Any) -> None:
            with self._changed:
                self.heard[name].append(message)
                self._changed.notify_all()

        return keep

    def _spin(self) -> None:
        with suppress(ExternalShutdownException):
            self._executor.spin()


def header(stamp_ns: int) -> Header:
    """A header of a camera."""
    found = Header(frame_id="camera")
    found.stamp.sec, found.stamp.nanosec = divmod(stamp_ns, 1_000_000_000)
    return found


def image(stamp_ns: int, rgb: RgbImage, **fields: Any) -> Image:
    """An rgb8 image; fields of the message may be others."""
    height, width = rgb.shape[:2]
    data = array.array("B", np.ascontiguousarray(rgb).tobytes())
    good = {"height": height, "width": width, "encoding": "rgb8", "step": width * 3, "data": data}
    return Image(header=header(stamp_ns), **{**good, **fields})


def stamps(messages: Sequence[Any]) -> list[int]:
    """Of their headers, nanoseconds."""
    return [stamp_to_ns(message.header.stamp) for message in messages]


def _value(value: Any) -> ParameterValue:
    kinds = {
        bool: (ParameterType.PARAMETER_BOOL, "bool_value"),
        int: (ParameterType.PARAMETER_INTEGER, "integer_value"),
        float: (ParameterType.PARAMETER_DOUBLE, "double_value"),
        str: (ParameterType.PARAMETER_STRING, "string_value"),
    }
    number, field = kinds[type(value)]
    return ParameterValue(type=number, **{field: value})
