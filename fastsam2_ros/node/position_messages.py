"""Positions as messages. Pure functions: no node, no graph."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from types import ModuleType
from typing import Any

import numpy as np
from geometry_msgs.msg import Pose, PoseStamped, Transform, TransformStamped
from sensor_msgs.msg import PointCloud2, PointField
from std_msgs.msg import Header

from fastsam2_ros.images import RgbImage
from fastsam2_ros.node.depth import DepthView
from fastsam2_ros.node.messages import point, vector
from fastsam2_ros.positions import Position, surface_points
from fastsam2_ros.results import TrackedObject, TrackState

Positions = Mapping[int, Position]
"""By the target's id: those that have one."""

MOST_POINTS = 50_000
"""Of one target in a point cloud."""
_POINT = np.dtype([("x", "<f4"), ("y", "<f4"), ("z", "<f4"), ("rgb", "<u4"), ("id", "<u4")])
_FIELDS = [
    PointField(
        name=name,
        offset=4 * number,
        # PCL keeps the three bytes of a colour in a float.
        datatype=PointField.UINT32 if name == "id" else PointField.FLOAT32,
        count=1,
    )
    for number, name in enumerate(_POINT.names or ())
]


def best(targets: Iterable[TrackedObject], positions: Positions, last: int) -> int:
    """Id of the target that `target_pose` is about; 0 where none has a position.

    The last one, as long as it is TRACKING: a robot that is on its way does not turn round because another's score rises.
    Else the first of TRACKING before UNCERTAIN, and of the highest score.
    """
    here = [target for target in targets if target.id in positions]
    if any(target.id == last and target.state == TrackState.TRACKING for target in here):
        return last
    order = {TrackState.TRACKING: 1, TrackState.UNCERTAIN: 0}
    return max(here, key=lambda target: (order.get(target.state, -1), target.score)).id if here else 0


def pose(position: Position) -> Pose:
    """A place without a rotation."""
    return Pose(position=point(position))


def target_pose(header: Header, position: Position) -> PoseStamped:
    """geometry_msgs/PoseStamped of a target, without a rotation."""
    return PoseStamped(header=header, pose=pose(position))


def point_cloud(
    header: Header, frame: RgbImage, targets: Iterable[TrackedObject], positions: Positions, view: DepthView
) -> PointCloud2:
    """sensor_msgs/PointCloud2 of the targets' measured pixels: x, y, z, rgb and id; at most `MOST_POINTS` of each."""
    parts = [
        _cloud(frame, target, positions[target.id], view)
        for target in targets
        if target.id in positions  # The others have none.
    ]
    points = np.concatenate([np.zeros(0, _POINT), *parts])
    cloud = PointCloud2(
        header=header,
        height=1,
        width=len(points),
        fields=_FIELDS,
        is_bigendian=False,
        point_step=_POINT.itemsize,
        row_step=_POINT.itemsize * len(points),
        is_dense=True,
    )
    cloud.data.frombytes(points.view(np.uint8))
    return cloud


def _cloud(frame: RgbImage, target: TrackedObject, position: Position, view: DepthView) -> Any:
    """(n,) of `_POINT`."""
    xyz, places = surface_points(target.mask, view.depth, view.camera, position, MOST_POINTS)
    rows, columns = (places * frame.shape[:2] // view.depth.size).T
    red, green, blue = frame[rows, columns].astype(np.uint32).T
    points = np.empty(len(xyz), _POINT)
    points["x"], points["y"], points["z"] = xyz.T
    points["rgb"] = red << 16 | green << 8 | blue
    points["id"] = target.id
    return points


def detections(header: Header, targets: Iterable[TrackedObject], positions: Positions, vision: ModuleType) -> Any:
    """vision_msgs/Detection3DArray of the targets with a position; `vision` is the module vision_msgs.msg."""
    found = [_detection(header, each, positions[each.id], vision) for each in targets if each.id in positions]
    return vision.Detection3DArray(header=header, detections=found)


def _detection(header: Header, target: TrackedObject, position: Position, vision: ModuleType) -> Any:
    hypothesis = vision.ObjectHypothesisWithPose()
    hypothesis.hypothesis.class_id = target.description
    hypothesis.hypothesis.score = float(target.score)
    hypothesis.pose.pose = pose(position)
    covariance = np.zeros((6, 6))
    covariance[:3, :3] = position.covariance
    hypothesis.pose.covariance = covariance.ravel()
    detection = vision.Detection3D(header=header, id=str(target.id), results=[hypothesis])
    detection.bbox.center = pose(position)
    detection.bbox.size = vector(position.extent)
    return detection


def transforms(header: Header, name: str, positions: Positions) -> list[TransformStamped]:
    """geometry_msgs/TransformStamped of each target: a frame NAME/target_ID at its position.

    Args:
        header: of the image.
        name: of the node, fully qualified, since frames have no namespaces; with the camera's, where there are several.
        positions: of the targets.
    """
    return [
        TransformStamped(
            header=header,
            child_frame_id=f"{name.lstrip('/')}/target_{number}",
            transform=Transform(translation=vector(position.point)),
        )
        for number, position in positions.items()
    ]
