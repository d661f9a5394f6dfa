"""What counts as seen, what is remembered of it, and how a state is told."""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np
import pytest
import torch
import torch.nn.functional as F

from fastsam2_ros import finding
from fastsam2_ros import seen as rules
from fastsam2_ros.config import TrackerConfig
from fastsam2_ros.errors import InputError
from fastsam2_ros.lab.evaluation.upstream import noise_video
from fastsam2_ros.results import TrackState
from fastsam2_ros.streaming.loading import LoadedSam2
from fastsam2_ros.tracker import TextTracker

from .planted import BOX, STEP, PlantedSearch

VIDEO = noise_video(1, (120, 160)) * 12
MORE_THAN_ALIKE = 9.0
"""A likeness that nothing has."""


@pytest.fixture
def search():
    return PlantedSearch("mug")


@pytest.fixture
def tracker(sam, search):
    return TextTracker(LoadedSam2(sam, untrained=True), search, TrackerConfig())


def doubt(sam, monkeypatch, iou=0.05):
    """From now on the model expects its masks to be wrong, and nothing is found by its look."""
    monkeypatch.setattr(finding, "find_by_look", lambda *_: None)
    decode = sam.decode
    monkeypatch.setattr(
        sam,
        "decode",
        lambda features, conditioned: replace(
            decoded := decode(features, conditioned), predicted_iou=torch.full_like(decoded.predicted_iou, iou)
        ),
    )


def steps(tracker, first, last):
    return [tracker.step(VIDEO[index], index * STEP).objects[0] for index in range(first, last)]


def test_a_mask_below_the_seen_score_is_not_given_out(tracker, sam, monkeypatch):
    tracker.set_box(BOX)
    steps(tracker, 0, 2)
    with monkeypatch.context() as patch:
        doubt(sam, patch)
        (target,) = steps(tracker, 2, 3)
    assert target.area == 0
    assert target.reason == "out of sight for 0.1 s"


@pytest.mark.parametrize(("alike", "seen"), [(-1.0, True), (MORE_THAN_ALIKE, False)], ids=["looks like it", "does not"])
def test_a_low_score_is_enough_for_what_looks_like_the_target(tracker, sam, monkeypatch, alike, seen):
    tracker.set_box(BOX)
    steps(tracker, 0, 2)
    monkeypatch.setattr(rules, "SAME_LOOK", alike)
    doubt(sam, monkeypatch, iou=0.15)
    (target,) = steps(tracker, 2, 3)
    assert bool(target.area) == seen


def test_a_frame_without_the_target_is_not_remembered(tracker, sam, monkeypatch):
    tracker.set_box(BOX)
    steps(tracker, 0, 3)
    before = [frame.index for frame in tracker.targets[0].memory.recent]
    with monkeypatch.context() as patch:
        doubt(sam, patch)
        steps(tracker, 3, 6)
    assert [frame.index for frame in tracker.targets[0].memory.recent] == before
    assert steps(tracker, 6, 7)[0].area > 0


def test_with_a_seen_score_of_zero_every_mask_counts(sam, monkeypatch):
    tracker = TextTracker(LoadedSam2(sam, untrained=True), PlantedSearch(), TrackerConfig(seen_score=0.0))
    tracker.set_box(BOX)
    steps(tracker, 0, 2)
    doubt(sam, monkeypatch)
    (target,) = steps(tracker, 2, 3)
    assert (target.state, target.area > 0) == (TrackState.UNCERTAIN, True)
    assert "below uncertain_score, 0.6" in target.reason


def test_what_comes_back_must_look_like_what_was_lost(tracker, sam, monkeypatch):
    tracker.set_box(BOX)
    steps(tracker, 0, 2)
    with monkeypatch.context() as patch:
        doubt(sam, patch)
        steps(tracker, 2, 4)
    monkeypatch.setattr(rules, "SAME_LOOK", MORE_THAN_ALIKE)
    assert steps(tracker, 4, 5)[0].area == 0
    monkeypatch.setattr(rules, "SAME_LOOK", -1.0)
    assert steps(tracker, 5, 6)[0].area > 0


@pytest.mark.parametrize(("seen_score", "seen"), [(0.25, False), (0.0, True)], ids=["by default", "as upstream"])
def test_a_mask_that_has_slipped_to_something_else_is_not_given_out(sam, monkeypatch, seen_score, seen):
    tracker = TextTracker(LoadedSam2(sam, untrained=True), PlantedSearch(), TrackerConfig(seen_score=seen_score))
    tracker.set_box(BOX)
    steps(tracker, 0, 2)
    for name in ("TRACKED_LOOK", "SAME_LOOK"):
        monkeypatch.setattr(rules, name, MORE_THAN_ALIKE)
    assert bool(steps(tracker, 2, 3)[0].area) == seen


@pytest.mark.parametrize(("alike", "learnt"), [(0.84, False), (0.86, True)])
def test_a_certain_look_that_is_unlike_the_first_is_not_remembered(sam, monkeypatch, alike, learnt):
    tracker = TextTracker(LoadedSam2(sam, untrained=True), PlantedSearch(), TrackerConfig(seen_score=0.0))
    tracker.set_box(BOX)
    steps(tracker, 0, 2)
    before = tracker.targets[0].looks[-1]
    doubt(sam, monkeypatch, iou=1.0)
    monkeypatch.setattr(rules, "likeness", lambda look, known: alike)
    steps(tracker, 2, 3)
    assert (tracker.targets[0].looks[-1] is not before) == learnt


@pytest.mark.parametrize(("alike", "learnt"), [(0.84, False), (0.86, True)])
def test_a_find_that_is_unlike_the_first_look_is_not_remembered(tracker, sam, monkeypatch, alike, learnt):
    tracker.set_target("mug")
    steps(tracker, 0, 1)
    before = tracker.targets[0].looks
    doubt(sam, monkeypatch)
    monkeypatch.setattr(rules, "likeness", lambda look, known: alike)
    for index in range(1, 15):
        (mug,) = tracker.step(VIDEO[index % 12], index * STEP).objects
        if mug.state == TrackState.TRACKING:
            break
    assert len(tracker.targets[0].memory.prompts) == 2
    assert (tracker.targets[0].looks != before) == learnt


def test_a_state_is_told_in_words(tracker, sam, monkeypatch):
    tracker.set_target("mug; spoon")
    mug, spoon = tracker.step(VIDEO[0], 0).objects
    assert mug.reason == "seen with a score of 0.80"
    assert spoon.reason == "not found yet; 1 search in vain"
    doubt(sam, monkeypatch)
    for index in range(1, 5):
        mug = tracker.step(VIDEO[index], index * STEP).objects[0]
    assert (mug.state, mug.reason) == (TrackState.LOST, "out of sight for 0.4 s; searched by its text from 0.5 s on")


def test_what_a_search_found_and_what_became_of_it_is_told(tracker, sam, monkeypatch):
    tracker.set_target("mug")
    tracker.step(VIDEO[0], 0)
    doubt(sam, monkeypatch)
    monkeypatch.setattr(rules, "SAME_LOOK", MORE_THAN_ALIKE)
    for index in range(1, 15):
        (mug,) = tracker.step(VIDEO[index % 12], index * STEP).objects
    assert mug.state == TrackState.SEARCHING
    assert "searches in vain; what was found does not look like it" in mug.reason


PICTURE = np.zeros((20, 30, 3), np.uint8)


@pytest.fixture
def seeing(tracker, search, monkeypatch):
    monkeypatch.setattr(search, "embed_example", lambda image: torch.ones(4))
    return tracker


def test_an_example_is_searched_in_the_next_frame(seeing):
    assert seeing.set_example(PICTURE, "mug") == "mug"
    (target,) = steps(seeing, 0, 1)
    assert (target.description, target.state) == ("mug", TrackState.TRACKING)


def test_an_example_replaces_the_one_before_and_no_other_target(seeing):
    seeing.set_target("cup")
    seeing.set_example(PICTURE, "mug")
    seeing.set_example(PICTURE, "spoon")
    assert [target.description for target in seeing.targets] == ["cup", "spoon"]
    seeing.set_target("plate")
    assert [target.description for target in seeing.targets] == ["spoon", "plate"]


def test_a_blank_text_ends_an_example(seeing):
    seeing.set_example(PICTURE, "mug")
    seeing.set_target("")
    assert seeing.targets == ()


def test_an_example_must_be_a_picture(seeing):
    with pytest.raises(InputError, match="uint8 array"):
        seeing.set_example(PICTURE[..., 0])


def test_examples_are_refused_where_there_are_too_many_targets(seeing):
    seeing.set_target("; ".join(f"mug {number}" for number in range(8)))
    with pytest.raises(InputError, match="max_targets"):
        seeing.set_example(PICTURE, "mug")


def test_another_finder_finds_in_place_of_the_language_model(tracker):
    tracker.find_with(PlantedSearch("spoon"))
    tracker.set_target("mug; spoon")
    assert [target.state.name for target in tracker.step(VIDEO[0], 0).objects] == ["TRACKING", "SEARCHING"]
    assert tracker.targets[1].id == 1


def test_an_example_is_found_by_the_language_model_whatever_finds_texts(seeing, search):
    search.present.add("mug")
    seeing.find_with(PlantedSearch())
    seeing.set_example(PICTURE, "mug")
    assert steps(seeing, 0, 1)[0].state == TrackState.TRACKING
    assert seeing.targets[0].example is not None


@pytest.mark.parametrize("seen_score", [0.25, 0.0])
def test_what_lies_apart_from_a_whole_target_is_neither_shown_nor_remembered(sam, search, monkeypatch, seen_score):
    """From the fifth frame on SAM 2's mask lies on a look-alike too; with `seen_score` 0 that is as it is."""
    tracker = TextTracker(LoadedSam2(sam, untrained=True), search, TrackerConfig(seen_score=seen_score))
    own, other = np.zeros((2, 120, 160), bool)
    own[30:90, 20:60] = other[30:90, 100:140] = True
    tracker.set_mask(own, "cup")
    side = 4 * sam.grid[0]
    decode, remember, remembered = sam.decode, sam.remember, []

    def drawn(features, conditioned):
        decoded, seen = decode(features, conditioned), own | other if tracker_step > 4 else own
        small = cv2.resize(seen.astype(np.uint8), (side, side), interpolation=cv2.INTER_NEAREST)
        low_res = torch.where(torch.from_numpy(small)[None, None] > 0, 8.0, -8.0).to(decoded.low_res)
        high_res = F.interpolate(low_res, decoded.high_res.shape[2:], mode="bilinear")
        sure = torch.full_like(decoded.predicted_iou, 0.95)
        return replace(decoded, low_res=low_res, high_res=high_res, predicted_iou=sure, object_score=sure + 8)

    def noted(features, decoded, *arguments):
        remembered.append(int((decoded.high_res[0, 0, :, decoded.high_res.shape[3] // 2 :] > 0).sum()))
        remember(features, decoded, *arguments)

    monkeypatch.setattr(sam, "decode", drawn)
    monkeypatch.setattr(sam, "remember", noted)
    shown = []
    for tracker_step in range(9):
        (target,) = tracker.step(VIDEO[tracker_step], tracker_step * STEP).objects
        shown.append(bool(target.mask[other].any()))
        assert target.mask[own].mean() > 0.9
    assert shown == [False] * 5 + [not seen_score] * 4
    assert any(remembered) == (not seen_score)
