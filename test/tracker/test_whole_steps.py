"""What was given or found stays what it is, and several targets live side by side."""

from __future__ import annotations

import copy
import pickle

import numpy as np
import pytest
import torch

from fastsam2_ros import seen as rules
from fastsam2_ros import targets
from fastsam2_ros.config import ModelConfig, TrackerConfig
from fastsam2_ros.lab.evaluation.upstream import noise_video
from fastsam2_ros.results import TrackState
from fastsam2_ros.streaming.loading import LoadedSam2, load_sam2
from fastsam2_ros.tracker import TextTracker

from .planted import SIZE, STEP, hide
from .sought import BOX, SETTINGS, step


def test_a_target_that_is_found_again_is_not_remembered_as_absent_too(tracker, sam, video, monkeypatch):
    tracker.set_target("mug")
    step(tracker, video, 0)
    hide(sam, monkeypatch)
    for number in range(1, 5):
        step(tracker, video, number)
    (target,) = tracker.targets
    assert len(target.memory.prompts) == 2
    assert not target.memory.recent


def test_the_given_box_stays_in_memory_whatever_is_found_later(tracker, sam, video, monkeypatch):
    monkeypatch.setattr(rules, "SAME_LOOK", -1.0)
    tracker.set_box(BOX)
    step(tracker, video, 0)
    (target,) = tracker.targets
    given = target.memory.prompts[0].features
    hide(sam, monkeypatch)
    finds = set()
    for number in range(1, 16):
        step(tracker, video, number)
        finds.update(frame.index for frame in tracker.targets[0].memory.prompts)
    assert len(finds) > 3
    first, last = tracker.targets[0].memory.prompts
    assert first.index == 0
    assert len(first.features) <= len(given)
    assert last.index == max(finds)


@pytest.mark.parametrize("size", [(24, 32), (2, 512), (3, 3), (96, 128)])
def test_a_find_of_a_cell_is_an_object_and_spoils_no_other(tracker, any_text, size):
    any_text.places = {"speck": (60, 61, 1, 1), "thread": (8, 2, 1, 40)}
    tracker.set_target("mug; speck; thread")
    result = tracker.step(noise_video(1, size)[0], 0)
    assert result.warnings == ()
    by_name = {each.description: each for each in result.objects}
    assert by_name["mug"].state == TrackState.TRACKING
    if size != (3, 3):  # where there is no room for three
        assert {each.state for each in result.objects} == {TrackState.TRACKING}


def test_a_mask_is_the_one_that_was_given_whatever_becomes_of_the_array(tracker, video):
    mask = np.zeros(SIZE, bool)
    mask[10:40, 10:40] = True
    tracker.set_mask(mask)
    mask[:] = False
    (target,) = step(tracker, video, 0).objects
    assert target.box[:2] == pytest.approx((10, 10), abs=3)


@pytest.mark.parametrize(
    ("given", "name", "searchable"),
    [
        ("", "object", False),
        ("  \u200b", "object", False),
        ("Object", "Object", False),
        (" red\n mug", "red mug", True),
    ],
)
def test_a_masks_description_is_cleaned(tracker, video, given, name, searchable):
    tracker.set_mask(np.ones(SIZE, bool), given)
    step(tracker, video, 0)
    (target,) = tracker.targets
    assert (target.description, target.searchable) == (name, searchable)


@pytest.mark.parametrize("x", [0.0, 63.6, 159.0])
def test_a_box_of_one_pixel_may_lie_between_pixels(tracker, video, x):
    tracker.set_box((x, 5.3, 1.0, 1.0))
    result = step(tracker, video, 0)
    assert result.warnings == ()
    assert result.objects[0].state == TrackState.TRACKING


def test_what_looks_otherwise_does_not_get_the_lost_ones_id(any_text, monkeypatch):
    """Fine noise on the left, and a flat bright wall on the right, as the model that ships sees them."""
    loaded = load_sam2(ModelConfig(device="cpu"))
    sam, tracker = loaded.streaming, TextTracker(loaded, any_text, TrackerConfig(**SETTINGS))
    frame = np.empty((96, 128, 3), np.uint8)
    frame[:, :64] = np.random.default_rng(0).integers(0, 256, (96, 64, 3), np.uint8)
    frame[:, 64:] = (250, 240, 20)
    any_text.place = (16, 4)
    tracker.set_target("mug")
    tracker.step(frame, 0)
    hide(sam, monkeypatch)
    any_text.place = (16, 36)
    for number in range(1, 6):
        (found,) = tracker.step(frame, number * STEP).objects
    assert (found.id, found.state) == (1, TrackState.SEARCHING)
    any_text.place = (16, 4)
    assert tracker.step(frame, 6 * STEP).objects[0].state == TrackState.TRACKING


def test_what_a_doubted_target_holds_is_not_taken(sam, any_text, video, monkeypatch):
    tracker = TextTracker(LoadedSam2(sam, True), any_text, TrackerConfig(uncertain_score=1.0, **SETTINGS))
    tracker.set_target("mug")
    step(tracker, video, 0)
    decode = sam.decode
    (held,) = (target.pruning.mask for target in tracker.targets)

    def the_same(features, conditioned):
        decoded = decode(features, conditioned)
        masks = held.expand_as(decoded.low_res)
        score = torch.full_like(decoded.object_score, 5.0)
        return type(decoded)(masks, decoded.high_res, torch.full_like(score, 0.4), score, decoded.pointer)

    monkeypatch.setattr(sam, "decode", the_same)
    tracker.set_target("mug; cup")
    mug, cup = step(tracker, video, 1).objects
    assert (mug.state, cup.state) == (TrackState.UNCERTAIN, TrackState.SEARCHING)


def test_no_pixel_is_in_two_masks(tracker, video):
    for x in (30.0, 35.0, 40.0):
        tracker.set_box((x, 30.0, 50.0, 40.0))
    for number in range(4):
        objects = step(tracker, video, number).objects
        assert np.sum([each.mask for each in objects], axis=0).max() <= 1
        for each in objects:
            assert each.state != TrackState.TRACKING or each.area > 0


@pytest.mark.parametrize("size", [(96, 128), (480, 640), (40, 30)])
@pytest.mark.parametrize("corner", [(0, 0), (0.5, 0.5), (1, 1)])
def test_a_box_of_one_pixel_is_an_object(tracker, size, corner):
    frame = noise_video(1, size)[0]
    x, y = round(corner[0] * (size[1] - 1)), round(corner[1] * (size[0] - 1))
    tracker.set_box((float(x), float(y), 1.0, 1.0))
    (target,) = tracker.step(frame, 0).objects
    assert target.state == TrackState.TRACKING
    assert target.area == target.mask.sum() > 0


def test_texts_boxes_and_masks_live_side_by_side(tracker, any_text, video):
    mask = np.zeros(SIZE, bool)
    mask[60:90, 90:120] = True
    tracker.set_box((2.0, 2.0, 20.0, 20.0))
    tracker.set_mask(mask, "mug")
    step(tracker, video, 0)
    any_text.place = (2, 36)
    for text in ("mug", "mug", "Mug", "mug; spoon"):
        tracker.set_target(text)
    first = step(tracker, video, 1).objects
    assert [each.description for each in first] == ["object", "mug", "mug", "spoon"]
    assert [each.id for each in first[:3]] == [1, 2, 3]
    tracker.set_target("MUG")
    assert [each.id for each in step(tracker, video, 2).objects] == [1, 2, 3]
    tracker.set_target("")
    assert step(tracker, video, 3).objects == ()


def test_boxes_of_one_automatic_name_are_two_targets(tracker, video):
    tracker.set_box((2.0, 2.0, 30.0, 30.0))
    tracker.set_box((80.0, 50.0, 30.0, 30.0))
    step(tracker, video, 0)
    tracker.set_target("mug")
    objects = step(tracker, video, 1).objects
    assert [each.description for each in objects[:2]] == ["object", "object"]
    assert len(objects) == 3


@pytest.mark.parametrize("copied", [copy.copy, copy.deepcopy, pickle.dumps])
def test_a_tracker_that_cannot_be_copied_says_why(tracker, copied):
    with pytest.raises(TypeError, match=r"holds models.*from_config"):
        copied(tracker)


def test_ids_come_round_and_none_is_that_of_another_target(tracker, video, monkeypatch):
    monkeypatch.setattr(targets, "MAX_ID", 5)
    ids = []
    for number in range(4):
        tracker.set_box((1.0, 1.0, 50.0, 50.0))
        tracker.set_box((60.0, 40.0, 50.0, 50.0))
        ids.append([each.id for each in step(tracker, video, number).objects])
        if number != 1:
            tracker.set_target("")
    assert ids == [[1, 2], [3, 4], [1, 3, 4, 5], [2, 3]]
