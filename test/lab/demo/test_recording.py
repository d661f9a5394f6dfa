"""What is read back from the recorded bag."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from fastsam2_ros.bags.messages import image_message, tracks_message
from fastsam2_ros.bags.result_files import LABELS_TOPIC, TRACKS_TOPIC
from fastsam2_ros.bags.write import BagWriter
from fastsam2_ros.lab.demo.recording import Recording
from fastsam2_ros.lab.demo.session import STATUS_TOPIC
from fastsam2_ros.results import TrackedObject, TrackResult, TrackState

STAMP = 1_000_000_000


def test_results_have_the_masks_that_they_were_made_of(tmp_path: Path) -> None:
    """Also that of a target that was never found: it has no id, and no mask."""
    serialize_message = pytest.importorskip("rclpy.serialization").serialize_message
    msg = pytest.importorskip("fastsam2_ros.msg")
    found = np.zeros((6, 8), bool)
    found[2:4, 3:7] = True
    objects = (
        TrackedObject.of_mask(1, "mug", TrackState.TRACKING, 0.9, found),
        TrackedObject.of_mask(0, "girl", TrackState.SEARCHING, 0.0, np.zeros((6, 8), bool)),
    )
    result = TrackResult(STAMP, (6, 8), 0, objects, 0.1, 0.5, 32, 64)
    status = msg.TrackerStatus(processing_time=0.1)
    status.header.stamp.sec = 1
    with BagWriter(tmp_path / "bag") as bag:
        bag.add_topic(LABELS_TOPIC, "sensor_msgs/msg/Image")
        bag.add_topic(TRACKS_TOPIC, "fastsam2_ros/msg/TrackedObjectArray")
        bag.add_topic(STATUS_TOPIC, "fastsam2_ros/msg/TrackerStatus")
        bag.write(LABELS_TOPIC, STAMP, image_message(result.labels(), "16UC1", STAMP, "camera"))
        bag.write(TRACKS_TOPIC, STAMP, tracks_message(objects, STAMP, "camera"))
        bag.write_bytes(STATUS_TOPIC, STAMP, serialize_message(status))
    (read,) = Recording(tmp_path / "bag").results()
    assert [(each.id, each.description) for each in read.objects] == [(1, "mug"), (0, "girl")]
    for ours, theirs in zip(read.objects, objects, strict=True):
        np.testing.assert_array_equal(ours.mask, theirs.mask)
