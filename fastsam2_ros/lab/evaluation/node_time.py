"""What a frame costs in the node beside the model: from the message to the published mask."""

from __future__ import annotations

import random
import statistics
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from queue import Empty, Queue
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from fastsam2_ros.config import TrackerConfig
from fastsam2_ros.errors import FastSam2Error
from fastsam2_ros.lab.evaluation.bench_scene import SIZE, bench_scene

AROUND = ("motion", "resize")
"""Stages that are not the model's. With them counts what no stage does: decoding, messages, publishing."""
_SECONDS = 600.0
"""Longest wait for one frame."""


@dataclass(frozen=True)
class NodeTime:
    """Seconds of each frame.

    Attributes:
        size: (H, W), pixels.
        processing: from taking up the message to its outputs being published.
        around: of these, what is not the model.
        stages: of that, by stage; `messages` is the rest.
    """

    size: tuple[int, int]
    processing: list[float] = field(default_factory=list)
    around: list[float] = field(default_factory=list)
    stages: dict[str, list[float]] = field(default_factory=dict)

    def add(self, status: Any) -> None:
        """Note what a fastsam2_ros/TrackerStatus tells of its frame."""
        seconds = dict(zip(status.stages, status.stage_seconds, strict=True))
        beside = {name: seconds.pop(name, 0.0) for name in AROUND}
        rest = status.processing_time - sum(seconds.values()) - sum(beside.values())
        self.processing.append(status.processing_time)
        self.around.append(rest + sum(beside.values()))
        for name, value in {**beside, "messages": rest}.items():
            self.stages.setdefault(name, []).append(value)

    def __str__(self) -> str:
        def milliseconds(seconds: list[float]) -> str:
            return f"{statistics.median(seconds) * 1e3:.1f}"

        parts = ", ".join(f"{name} {milliseconds(seconds)}" for name, seconds in self.stages.items())
        return (
            f"In the node, {self.size[1]}x{self.size[0]}, median of {len(self.around)} frames: {milliseconds(self.around)} ms "
            f"from the message to the published mask that are not the model ({parts}), of {milliseconds(self.processing)} ms."
        )


def measure(config: TrackerConfig, warm_frames: int, frames: int) -> NodeTime:
    """Run the node over DDS, in this process, on the benchmark's scene, with one target and one subscriber of the mask.

    Args:
        config: models and settings.
        warm_frames: that come before those that count.
        frames: that count.

    Raises:
        FastSam2Error: rclpy is not here, or a frame does not come back.
    """
    try:
        import rclpy
        from rclpy.event_handler import PublisherEventCallbacks
        from rclpy.parameter import Parameter
        from sensor_msgs.msg import Image, RegionOfInterest

        from fastsam2_ros import msg
        from fastsam2_ros.node import qos
        from fastsam2_ros.node.main import load_tracker
        from fastsam2_ros.node.tracker_node import TrackerNode
    except ImportError as error:
        raise FastSam2Error(f"The node cannot be timed: {error}. fastsam2 doctor tells what to do.") from error
    context, threads = rclpy.Context(), cv2.getNumThreads()
    # A domain of its own: nobody else is to hear that.
    rclpy.init(args=[], context=context, domain_id=random.SystemRandom().randint(102, 200))
    # No frame may be lost: the next is sent when the one before is done.
    settings = [Parameter("image_reliability", value="reliable")]
    node = TrackerNode(lambda _: load_tracker(config), context=context, parameter_overrides=settings)
    peer = rclpy.create_node("fastsam2_bench", context=context)
    matches: Queue[Any] = Queue()
    matched = PublisherEventCallbacks(matched=matches.put)
    images = peer.create_publisher(Image, "image", qos.reliable(), event_callbacks=matched)
    boxes = peer.create_publisher(RegionOfInterest, "target_box", qos.reliable(), event_callbacks=matched)
    statuses: Queue[Any] = Queue()
    peer.create_subscription(msg.TrackerStatus, f"{node.get_name()}/status", statuses.put, qos.latched())
    peer.create_subscription(Image, f"{node.get_name()}/mask", lambda _: None, qos.reliable())
    scene, seen = bench_scene(warm_frames + frames), NodeTime(SIZE)
    x, y, width, height = map(round, scene.boxes[0])
    try:
        with _spinning([node, peer], context):
            node.start()
            for _ in (images, boxes):
                _next(matches)
            boxes.publish(RegionOfInterest(x_offset=x, y_offset=y, width=width, height=height))
            for number, frame in enumerate(scene.frames, 1):
                images.publish(_image(frame, number))
                while (status := _next(statuses)).processed < number:
                    pass
                if number > warm_frames:
                    seen.add(status)
    finally:
        node.close()
        peer.destroy_node()
        rclpy.try_shutdown(context=context)
        cv2.setNumThreads(threads)  # load_tracker has set it, for a process that is the node's alone
    return seen


@contextmanager
def _spinning(nodes: list[Any], context: Any) -> Iterator[None]:
    """Nodes whose callbacks are called meanwhile, in a thread."""
    from rclpy.executors import ExternalShutdownException, SingleThreadedExecutor

    executor = SingleThreadedExecutor(context=context)
    for node in nodes:
        executor.add_node(node)

    def spin() -> None:
        with suppress(ExternalShutdownException):
            executor.spin()

    thread = threading.Thread(target=spin)
    thread.start()
    try:
        yield
    finally:
        executor.shutdown()
        thread.join()


def _image(pixels: npt.NDArray[np.uint8], number: int) -> Any:
    """sensor_msgs/Image, rgb8, of frame `number`, at 30 Hz."""
    from std_msgs.msg import Header

    from fastsam2_ros.node import messages

    header = Header()
    header.stamp.sec, header.stamp.nanosec = divmod(number * 33_333_333, 10**9)
    return messages.image(header, pixels, "rgb8")


def _next(events: Queue[Any]) -> Any:
    try:
        return events.get(timeout=_SECONDS)
    except Empty:
        raise FastSam2Error(f"Nothing has come from the node for {_SECONDS:.0f} s.") from None
