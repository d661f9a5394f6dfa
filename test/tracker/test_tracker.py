"""The tracker's contract, with a real small SAM 2 and a language model that finds what the test says."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from fastsam2_ros.config import LanguageConfig, ModelConfig, TrackerConfig
from fastsam2_ros.errors import InputError
from fastsam2_ros.lab.evaluation.upstream import noise_video
from fastsam2_ros.language.search import NONE
from fastsam2_ros.results import TrackState
from fastsam2_ros.tracker import TextTracker

from .planted import BOX, STEP, hide, steps


def test_without_a_target_nothing_is_tracked(make, video):
    result = make().step(video[0], 7)
    assert result.objects == ()
    assert result.state == TrackState.SEARCHING
    assert result.stamp_ns == 7
    assert not result.union_mask().any()


def test_a_frame_with_nothing_to_do_is_not_encoded(make, video, sam, monkeypatch):
    encoded = []
    encode = sam.encode
    monkeypatch.setattr(sam, "encode", lambda frame: encoded.append(frame) or encode(frame))
    tracker = make(search_interval=0.5)
    steps(tracker, video, 3)
    assert not encoded
    tracker.set_target("unicorn")
    steps(tracker, video, 16, first=3)  # searched at once, and in vain; again after 1 s
    assert len(encoded) == 2


def test_the_same_frame_has_no_motion_whether_it_is_encoded_or_not(make, sam):
    frame = cv2.GaussianBlur(np.random.default_rng(1).integers(0, 256, (480, 854, 3), np.uint8), (0, 0), 2)
    tracker, features = make(), sam.encode(frame)
    results = [tracker.step(frame, index * STEP, features=None if index % 3 else features) for index in range(7)]
    assert max(result.motion for result in results) < 0.001


def test_a_tracker_needs_the_encoder_where_a_search_is_due(make, video):
    tracker = make(search_interval=0.5)
    assert not tracker.needs_encoder(0)
    tracker.set_target("unicorn")
    assert tracker.needs_encoder(0)
    tracker.step(video[0], 0)  # in vain: the next after 1 s
    assert not tracker.needs_encoder(9 * STEP)
    assert tracker.needs_encoder(10 * STEP)


def test_a_tracker_needs_the_encoder_for_what_it_tracks(make, video):
    tracker = make()
    tracker.set_box(BOX)
    assert tracker.needs_encoder(0)
    tracker.step(video[0], 0)
    assert tracker.needs_encoder(STEP)


def test_a_box_is_tracked_from_the_next_frame_on(make, video):
    tracker = make()
    tracker.set_box(BOX)
    (target,) = steps(tracker, video, 1)[0].objects
    assert target.id == 1
    assert target.area > 0
    assert steps(tracker, video, 2, first=1)[-1].objects[0].id == 1


@pytest.mark.parametrize("box", [(0, 0, 0, 5), (0, 0, 5, -1), (float("nan"), 0, 5, 5), (0, float("inf"), 5, 5)])
def test_a_box_that_is_none_is_refused(make, box):
    with pytest.raises(InputError):
        make().set_box(box)


def test_a_box_outside_the_frame_is_a_warning(make, video):
    tracker = make("mug")
    tracker.set_target("mug")
    tracker.set_box((500.0, 20.0, 60.0, 50.0))
    result = steps(tracker, video, 1)[0]
    assert "outside the frame" in result.warnings[0]
    assert len(result.objects) == 1


def test_too_many_boxes_are_refused(make):
    tracker = make(max_targets=2)
    tracker.set_box(BOX)
    tracker.set_box(BOX)
    with pytest.raises(InputError, match="max_targets"):
        tracker.set_box(BOX)


@pytest.mark.parametrize(
    "frame",
    [
        np.zeros((0, 10, 3), np.uint8),
        np.zeros((10, 10), np.uint8),
        np.zeros((10, 10, 4), np.uint8),
        np.zeros((10, 10, 3), np.float32),
        None,
    ],
    ids=["empty", "grey", "four channels", "float", "none"],
)
def test_a_frame_that_is_none_is_refused_and_nothing_is_lost(make, video, frame):
    tracker = make("mug")
    tracker.set_target("mug")
    steps(tracker, video, 2)
    with pytest.raises(InputError):
        tracker.step(frame, 2 * STEP)
    result = tracker.step(video[2], 2 * STEP)
    assert result.frame_index == 2
    assert result.objects[0].state == TrackState.TRACKING


def test_frames_may_change_their_size(make):
    tracker = make("mug")
    tracker.set_target("mug")
    for number, size in enumerate([(120, 160), (60, 200), (1, 1), (300, 90)]):
        result = tracker.step(noise_video(1, size)[0], number * STEP)
        assert result.objects[0].mask.shape == size


@pytest.mark.parametrize("stamp", [3 * STEP, 0], ids=["stands still", "goes back"])
def test_a_stamp_that_does_not_rise_is_a_warning(make, video, stamp):
    tracker = make("mug")
    tracker.set_target("mug")
    steps(tracker, video, 4)
    result = tracker.step(video[0], stamp)
    assert "does not rise" in result.warnings[0]
    assert result.stamp_ns == stamp
    assert result.objects[0].state == TrackState.TRACKING


def test_a_vanished_target_becomes_uncertain_then_lost_then_sought(make, video, monkeypatch, search, sam):
    tracker = make("mug", lost_seconds=0.25, search_seconds=0.35, search_interval=0.2)
    tracker.set_target("mug")
    steps(tracker, video, 3)
    hide(sam, monkeypatch)
    search.present.clear()
    results = steps(tracker, video, 8, first=3)
    states = [result.objects[0].state.name for result in results]
    assert states == ["UNCERTAIN", "UNCERTAIN", "LOST", "LOST", "LOST", "SEARCHING", "SEARCHING", "SEARCHING"]
    for result in results:
        assert result.objects[0].box is None
        assert not result.objects[0].mask.any()


def test_a_found_again_target_keeps_its_id(make, video, monkeypatch, search, sam):
    tracker = make("mug", lost_seconds=0.1, search_seconds=0.1, search_interval=0.2)
    tracker.set_target("mug")
    steps(tracker, video, 2)
    with monkeypatch.context() as patch:
        hide(sam, patch)
        search.present.clear()
        assert steps(tracker, video, 3, first=2)[-1].objects[0].state == TrackState.SEARCHING
        search.present.add("mug")
        found = steps(tracker, video, 3, first=5)
        assert TrackState.TRACKING in {result.objects[0].state for result in found}
    assert steps(tracker, video, 1, first=8)[0].objects[0].id == 1


def test_a_boxed_target_that_was_lost_is_not_sought_without_a_language_model(make, video, monkeypatch, search, sam):
    tracker = make(lost_seconds=0.1, search_seconds=0.1)
    search.config = LanguageConfig(name=NONE)
    tracker.set_box(BOX)
    steps(tracker, video, 2)
    hide(sam, monkeypatch)
    assert steps(tracker, video, 6, first=2)[-1].objects[0].state == TrackState.LOST


def test_equal_runs_give_equal_masks(make, video):
    runs = []
    for _ in range(2):
        tracker = make("mug")
        tracker.set_target("mug")
        runs.append([result.labels() for result in steps(tracker, video, 6)])
    assert all(np.array_equal(first, second) for first, second in zip(*runs, strict=True))


def test_a_reset_forgets_everything_but_the_ids(make, video):
    tracker = make("mug")
    tracker.set_target("mug")
    steps(tracker, video, 2)
    tracker.reset()
    assert tracker.memory_bytes == 0
    assert steps(tracker, video, 1, first=2)[0].objects == ()
    tracker.set_target("mug")
    assert steps(tracker, video, 1, first=3)[0].objects[0].id == 2


def test_settings_out_of_range_are_refused():
    with pytest.raises(InputError, match=r"model\.max_prompt_frames"):
        TextTracker.from_config(TrackerConfig(model=ModelConfig(max_prompt_frames=1)))


def test_a_frame_that_is_encoded_already_is_not_encoded_again(make, sam, video, monkeypatch):
    alone, given = make(), make()
    features = [sam.encode(frame) for frame in video[:3]]
    for tracker in (alone, given):
        tracker.set_box(BOX)
    expected = steps(alone, video, 3)
    monkeypatch.setattr(sam, "encode", None)
    for index, result in enumerate(expected):
        found = given.step(video[index], index * STEP, features=features[index])
        np.testing.assert_array_equal(found.objects[0].mask, result.objects[0].mask)
