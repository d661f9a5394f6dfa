import sys
import time
from types import ModuleType, SimpleNamespace

import numpy as np
import pytest
from diagnostic_msgs.msg import DiagnosticStatus
from geometry_msgs.msg import Point, Vector3
from sensor_msgs.msg import RegionOfInterest
from std_msgs.msg import Header

from fastsam2_ros.message_fields import region_of_interest, stamp_to_ns
from fastsam2_ros.node import messages
from fastsam2_ros.node.queues import Counts
from fastsam2_ros.positions import Position
from fastsam2_ros.results import TrackedObject, TrackResult, TrackState

HEADER = Header(frame_id="camera")
HEADER.stamp.sec, HEADER.stamp.nanosec = 3, 500_000_000


def target(id_, mask, *, score=0.5, state=TrackState.TRACKING):
    found = mask.any()
    return TrackedObject(
        id=id_,
        description=f"thing {id_}",
        state=state,
        score=score,
        box=(1.0, 0.0, 2.0, 2.0) if found else None,
        centroid=(1.5, 0.5) if found else None,
        area=int(mask.sum()),
        mask=mask,
    )


def result(*objects, size=(4, 6)):
    return TrackResult(
        stamp_ns=3_500_000_000,
        size=size,
        frame_index=0,
        objects=objects,
        motion=0.25,
        keep_ratio=0.5,
        tokens_kept=128,
        tokens_total=256,
        stage_seconds={"encode": 0.5, "attend": 0.25},
    )


def square(size=(4, 6)):
    mask = np.zeros(size, bool)
    mask[0:2, 1:3] = True
    return mask


def empty(size=(4, 6)):
    return np.zeros(size, bool)


def test_a_stamp_is_read_in_nanoseconds():
    assert stamp_to_ns(HEADER.stamp) == 3_500_000_000


def test_a_mask_holds_only_0_and_255():
    message = messages.mask(HEADER, result(target(1, square())))
    assert set(message.data) == {0, 255}
    assert (message.encoding, message.height, message.width, message.step) == ("mono8", 4, 6, 6)


def test_a_mask_is_white_where_any_target_is():
    right = np.roll(square(), 1, axis=1)  # it overlaps the other
    message = messages.mask(HEADER, result(target(1, square()), target(2, right)))
    assert np.array_equal(np.frombuffer(message.data, np.uint8).reshape(4, 6), (square() | right) * 255)


def test_making_a_mask_leaves_the_targets_as_they_are():
    one = target(1, square())
    messages.mask(HEADER, result(one))
    assert np.array_equal(one.mask, square())


def test_a_mask_of_nothing_is_black():
    assert not any(messages.mask(HEADER, result(target(1, empty(), state=TrackState.LOST))).data)


def test_labels_hold_the_ids():
    message = messages.labels(HEADER, result(target(300, square())))
    assert (message.encoding, message.step, message.is_bigendian) == ("16UC1", 12, 0)
    assert set(np.frombuffer(message.data, "<u2")) == {0, 300}


def tracks(header, result_, positions=()):
    return messages.tracks(header, result_, dict(positions))


@pytest.mark.parametrize("make", [messages.mask, messages.labels, tracks])
def test_the_header_is_the_sources(make):
    assert make(HEADER, result(target(1, square()))).header == HEADER


def test_an_image_of_full_hd_is_made_in_a_moment():
    pixels = np.zeros((1080, 1920, 3), np.uint8)
    started = time.perf_counter()
    messages.image(HEADER, pixels, "rgb8")
    assert time.perf_counter() - started < 0.1  # Element by element it takes half a second and more.


def test_a_seen_target_has_its_box():
    (track,) = tracks(HEADER, result(target(7, square()))).objects
    assert (track.id, track.description, track.state, track.area) == (7, "thing 7", 1, 4)
    assert track.has_box
    assert track.box == RegionOfInterest(x_offset=1, y_offset=0, width=2, height=2)
    assert (track.centroid_x, track.centroid_y) == (1.5, 0.5)


def test_a_lost_target_is_there_without_a_box():
    (track,) = tracks(HEADER, result(target(7, empty(), state=TrackState.LOST))).objects
    assert (track.state, track.has_box, track.box) == (3, False, RegionOfInterest())


def test_a_target_with_a_position_has_it():
    position = Position((1.0, 2.0, 3.0), (0.1, 0.2, 0.3), np.arange(9.0).reshape(3, 3), 2.9, 3.1)
    (track,) = tracks(HEADER, result(target(7, square())), {7: position}).objects
    assert track.has_position
    assert track.position == Point(x=1.0, y=2.0, z=3.0)
    assert track.extent == Vector3(x=0.1, y=0.2, z=0.3)
    assert list(track.covariance) == list(range(9))


def test_a_target_without_a_position_has_zeros():
    (track,) = tracks(HEADER, result(target(7, square()))).objects
    assert (track.has_position, track.position, any(track.covariance)) == (False, Point(), False)


def test_no_targets_make_an_empty_array():
    assert tracks(HEADER, result()).objects == []


def test_numpy_numbers_are_taken():
    seen = target(np.int64(7), square(), score=np.float32(0.5))
    (track,) = tracks(HEADER, result(seen)).objects
    assert track.score == 0.5


@pytest.mark.parametrize(
    ("box", "region"),
    [
        ((1.0, 2.0, 3.0, 4.0), (1, 2, 3, 4)),
        ((1.5, 2.5, 1.0, 1.0), (1, 2, 2, 2)),
        ((-2.0, -1.0, 4.0, 4.0), (0, 0, 2, 3)),
        ((0.0, 0.0, 0.0, 0.0), (0, 0, 0, 0)),
    ],
)
def test_a_region_holds_the_box(box, region):
    message = RegionOfInterest(**region_of_interest(box))
    assert (message.x_offset, message.y_offset, message.width, message.height) == region


def test_a_region_is_a_box():
    assert messages.box(RegionOfInterest(x_offset=1, y_offset=2, width=3, height=4)) == (1.0, 2.0, 3.0, 4.0)


def vision_stand_in():
    """The part of vision_msgs 4 that is written to, as plain namespaces."""

    def detection(**fields):
        center = SimpleNamespace(position=SimpleNamespace(x=0.0, y=0.0), theta=0.0)
        return SimpleNamespace(bbox=SimpleNamespace(center=center, size_x=0.0, size_y=0.0), **fields)

    return SimpleNamespace(
        Detection2DArray=SimpleNamespace,
        Detection2D=detection,
        ObjectHypothesisWithPose=lambda: SimpleNamespace(hypothesis=SimpleNamespace(class_id="", score=0.0)),
    )


def vision_modules():
    stand_in = pytest.param(vision_stand_in(), id="stand-in")
    real = messages.vision_msgs()
    missing = pytest.mark.skipif(real is None, reason="vision_msgs is not installed")
    return [stand_in, pytest.param(real, id="vision_msgs", marks=missing)]


@pytest.mark.parametrize("vision", vision_modules())
def test_a_detection_has_the_centre_of_the_box(vision):
    (detection,) = messages.detections(HEADER, result(target(7, square(), score=0.75)), vision).detections
    assert (detection.bbox.center.position.x, detection.bbox.center.position.y) == (2.0, 1.0)
    assert (detection.bbox.size_x, detection.bbox.size_y) == (2.0, 2.0)
    assert detection.id == "7"
    assert detection.results[0].hypothesis.class_id == "thing 7"
    assert detection.results[0].hypothesis.score == 0.75


@pytest.mark.parametrize("vision", vision_modules())
def test_a_lost_target_is_no_detection(vision):
    assert messages.detections(HEADER, result(target(7, empty())), vision).detections == []


def test_vision_msgs_is_none_where_it_is_not_installed(monkeypatch):
    monkeypatch.setitem(sys.modules, "vision_msgs.msg", None)
    assert messages.vision_msgs() is None


def test_vision_msgs_is_the_module_where_it_is_installed(monkeypatch):
    module = ModuleType("vision_msgs.msg")
    monkeypatch.setitem(sys.modules, "vision_msgs", ModuleType("vision_msgs"))
    monkeypatch.setitem(sys.modules, "vision_msgs.msg", module)
    assert messages.vision_msgs() is module


def status(result_, descriptions=("cup",), counts=None, message=""):
    return messages.status(
        HEADER, result_, descriptions, counts or Counts(), "mini", "cpu", active=True, untrained=True, message=message
    )


def test_a_status_before_the_first_frame():
    message = status(None, ())
    assert (message.state, message.keep_ratio, message.received, message.stages) == (0, 0.0, 0, [])


def test_a_status_tells_what_the_frame_cost():
    message = status(result(target(1, square())))
    assert message.state == 1
    assert (message.motion, message.keep_ratio, message.tokens_kept, message.tokens_total) == (0.25, 0.5, 128, 256)
    assert (message.stages, list(message.stage_seconds)) == (["encode", "attend"], [0.5, 0.25])


def test_received_is_processed_and_dropped_while_frames_are_pending():
    message = status(None, counts=Counts(received=10, processed=5, dropped=3))
    assert (message.received, message.processed, message.dropped) == (8, 5, 3)


def test_a_status_without_targets_is_searching():
    assert status(result(target(1, square())), descriptions=()).state == TrackState.SEARCHING


def diagnostics(status_, silence=None, **problems):
    return messages.diagnostics(
        "/node: tracker",
        status_,
        Counts(),
        "active",
        problems,
        stopped={"camera"},
        silence=silence,
        slowest=0.001,
        memory={"resident memory": 3 * 2**20},
    )


@pytest.mark.parametrize(
    ("problems", "level", "message"),
    [
        ({"frame": "a"}, DiagnosticStatus.WARN, "a"),
        ({"frame": "a", "name": "b"}, DiagnosticStatus.WARN, "b"),
        ({"camera": "a", "name": "b"}, DiagnosticStatus.ERROR, "a"),
    ],
)
def test_diagnostics_tell_of_the_worst_problem(problems, level, message):
    entry = diagnostics(status(None), **problems)
    assert (entry.level, entry.message, entry.name) == (level, message, "/node: tracker")


def test_diagnostics_list_all_problems():
    values = {value.key: value.value for value in diagnostics(status(None), camera="a", name="b").values}
    assert (values["problem (camera)"], values["problem (name)"]) == ("a", "b")


def test_diagnostics_are_well_without_a_problem():
    entry = diagnostics(status(result(target(1, square()))))
    assert (entry.level, entry.message) == (DiagnosticStatus.OK, "TRACKING")
    assert {value.key: value.value for value in entry.values}["slowest callback (ms)"] == "1.00"


@pytest.mark.parametrize(("silence", "told"), [(None, "none yet"), (12.4, "12")])
def test_diagnostics_tell_how_long_no_image_has_come(silence, told):
    values = {value.key: value.value for value in diagnostics(status(None), silence=silence).values}
    assert values["last image (s ago)"] == told
