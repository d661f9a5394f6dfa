"""Results as messages. Pure functions: no node, no graph."""

from __future__ import annotations

from collections.abc import Container, Mapping, Sequence
from importlib import import_module
from types import ModuleType
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
from diagnostic_msgs.msg import DiagnosticStatus, KeyValue
from geometry_msgs.msg import Point, Vector3
from sensor_msgs.msg import CompressedImage, Image, RegionOfInterest
from std_msgs.msg import Header

from fastsam2_ros import msg
from fastsam2_ros.images import encode_image
from fastsam2_ros.message_fields import region_of_interest, tracked_object
from fastsam2_ros.node.queues import Counts
from fastsam2_ros.positions import Position
from fastsam2_ros.results import Box, TrackedObject, TrackResult, TrackState


def image(header: Header, pixels: npt.NDArray[Any], encoding: str) -> Image:
    """sensor_msgs/Image of an array that suits the encoding (`images.encode_image`)."""
    fields = encode_image(pixels, encoding)
    data = fields.pop("data")
    message = Image(header=header, **fields)
    # Into the message's own array: an array that it is given is copied twice, any other sequence checked by element.
    message.data.frombytes(data)
    return message


def png(header: Header, pixels: npt.NDArray[np.uint8]) -> CompressedImage:
    """sensor_msgs/CompressedImage of a grey image, uint8 (H, W), as image_transport's compressed would make it of mono8."""
    message = CompressedImage(header=header, format="mono8; png compressed ")
    message.data.frombytes(cv2.imencode(".png", pixels)[1])
    return message


def mask(header: Header, result: TrackResult) -> Image:
    """mono8: 255 where any target is, else 0."""
    return image(header, result.union_mask(), "mono8")


def labels(header: Header, result: TrackResult) -> Image:
    """16UC1: the id of the target at each pixel, else 0."""
    return image(header, result.labels(), "16UC1")


def tracks(header: Header, result: TrackResult, positions: Mapping[int, Position]) -> msg.TrackedObjectArray:
    """All targets, found or not; positions by id, of those that have one."""
    objects = [_track(target, positions.get(target.id)) for target in result.objects]
    return msg.TrackedObjectArray(header=header, objects=objects)


def _track(target: TrackedObject, position: Position | None) -> msg.TrackedObject:
    box = RegionOfInterest(**region_of_interest(target.box))
    place = {} if position is None else {"position": point(position), "extent": vector(position.extent)}
    return msg.TrackedObject(box=box, **tracked_object(target, position), **place)


def point(position: Position) -> Point:
    """geometry_msgs/Point, m."""
    x, y, z = position.point
    return Point(x=x, y=y, z=z)


def vector(values: tuple[float, float, float]) -> Vector3:
    """geometry_msgs/Vector3."""
    x, y, z = values
    return Vector3(x=x, y=y, z=z)


def box(message: RegionOfInterest) -> Box:
    """x, y, width, height in pixels."""
    return (float(message.x_offset), float(message.y_offset), float(message.width), float(message.height))


def vision_msgs() -> ModuleType | None:
    """The module vision_msgs.msg, or None where it is not installed."""
    try:
        return import_module("vision_msgs.msg")
    except ImportError:
        return None


def detections(header: Header, result: TrackResult, vision: ModuleType) -> Any:
    """vision_msgs/Detection2DArray: the targets that are seen; `vision` is the module vision_msgs.msg."""
    seen = [target for target in result.objects if target.box is not None]
    return vision.Detection2DArray(header=header, detections=[_detection(header, target, vision) for target in seen])


def _detection(header: Header, target: TrackedObject, vision: ModuleType) -> Any:
    assert target.box is not None
    x, y, width, height = target.box
    hypothesis = vision.ObjectHypothesisWithPose()
    hypothesis.hypothesis.class_id = target.description
    hypothesis.hypothesis.score = float(target.score)
    detection = vision.Detection2D(header=header, id=str(target.id), results=[hypothesis])
    detection.bbox.center.position.x = float(x + width / 2)
    detection.bbox.center.position.y = float(y + height / 2)
    detection.bbox.size_x, detection.bbox.size_y = float(width), float(height)
    return detection


def status(
    header: Header,
    result: TrackResult | None,
    descriptions: Sequence[str],
    counts: Counts,
    model: str,
    device: str,
    *,
    active: bool,
    untrained: bool,
    processing_time: float = 0.0,
    latency: float = 0.0,
    message: str = "",
) -> msg.TrackerStatus:
    """How the tracker is doing.

    Args:
        header: of the newest processed image; empty before the first.
        result: the newest one, or None.
        descriptions: what is looked for or tracked now.
        counts: frames since the start; pending ones count as not yet received, so that received is the sum.
        model: name or path of the SAM 2 model.
        device: torch device that it runs on.
        active: images are taken.
        untrained: True where the weights are random.
        processing_time, latency: seconds, see msg/TrackerStatus.msg.
        message: the newest problem; empty: all is well.
    """
    status = msg.TrackerStatus(
        header=header,
        state=int(result.state if result and descriptions else TrackState.SEARCHING),
        descriptions=list(descriptions),
        reasons=_reasons(result, descriptions),
        processing_time=processing_time,
        latency=latency,
        input_rate=counts.input_rate,
        output_rate=counts.output_rate,
        received=counts.received - counts.pending,
        processed=counts.processed,
        dropped=counts.dropped,
        model=model,
        device=device,
        active=active,
        untrained=untrained,
        message=message,
    )
    if result is not None:
        status.motion = float(np.float32(result.motion))
        status.keep_ratio = float(result.keep_ratio)
        status.tokens_kept, status.tokens_total = int(result.tokens_kept), int(result.tokens_total)
        status.stages = list(result.stage_seconds)
        status.stage_seconds = [float(seconds) for seconds in result.stage_seconds.values()]
    return status


def _reasons(result: TrackResult | None, descriptions: Sequence[str]) -> list[str]:
    """Why each target is in its state."""
    if result is None or [target.description for target in result.objects] != list(descriptions):
        return ["waits for the next image"] * len(descriptions)
    return [target.reason for target in result.objects]


def diagnostics(
    name: str,
    status: msg.TrackerStatus,
    counts: Counts,
    phase: str,
    problems: Mapping[str, str],
    *,
    stopped: Container[str],
    silence: float | None,
    slowest: float,
    memory: Mapping[str, int],
) -> DiagnosticStatus:
    """diagnostic_msgs/DiagnosticStatus: OK, WARN where there is a problem, ERROR where nothing comes out because of it.

    Args:
        name: of the entry.
        status: the newest one.
        counts: as they are now.
        phase: state of the node's life cycle.
        problems: what is wrong now, by subject; the newest comes last.
        stopped: subjects whose problems are errors.
        silence: seconds since the last image; None before the first.
        slowest: time in the slowest callback, seconds.
        memory: that the process takes, bytes by kind.
    """
    state = TrackState(status.state).name
    values = {
        "life cycle": phase,
        "state": state,
        "targets": "; ".join(status.descriptions),
        "input rate (Hz)": f"{counts.input_rate:.1f}",
        "output rate (Hz)": f"{counts.output_rate:.1f}",
        "last image (s ago)": "none yet" if silence is None else f"{silence:.0f}",
        "received": str(counts.received),
        "processed": str(counts.processed),
        "dropped": str(counts.dropped),
        "keep ratio": f"{status.keep_ratio:.2f}",
        "processing time (ms)": f"{status.processing_time * 1e3:.1f}",
        "latency (ms)": f"{status.latency * 1e3:.1f}",
        "slowest callback (ms)": f"{slowest * 1e3:.2f}",
    }
    values |= {f"{kind} (MB)": f"{size / 2**20:.0f}" for kind, size in memory.items()}
    values |= {f"problem ({subject})": text for subject, text in problems.items()}
    errors = [text for subject, text in problems.items() if subject in stopped]
    level, message = DiagnosticStatus.OK, state
    if problems:
        level, message = DiagnosticStatus.WARN, [*problems.values()][-1]
    if errors:
        level, message = DiagnosticStatus.ERROR, errors[-1]
    return DiagnosticStatus(
        level=level,
        name=name,
        message=message,
        hardware_id=f"{status.model} on {status.device}",
        values=[KeyValue(key=key, value=value) for key, value in values.items()],
    )
