"""What a text does, with a language model that finds what the test says."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from fastsam2_ros.config import LanguageConfig, PruningConfig, TrackerConfig
from fastsam2_ros.errors import InputError
from fastsam2_ros.language.grounding import Grounding
from fastsam2_ros.language.search import NONE, TextSearch
from fastsam2_ros.pruning.budget import Budget
from fastsam2_ros.pruning.motion import MotionEstimator
from fastsam2_ros.pruning.state import PruningState
from fastsam2_ros.results import TrackState
from fastsam2_ros.streaming.loading import LoadedSam2
from fastsam2_ros.streaming.warp import STILL
from fastsam2_ros.targets import SIGHTINGS, Target
from fastsam2_ros.tracker import TextTracker

from .planted import BOX, SIZE, STEP, steps


def test_a_described_target_is_found_and_tracked(make, video):
    tracker = make("red mug")
    assert tracker.set_target("red mug") == ("red mug",)
    results = steps(tracker, video, 4)
    for result in results:
        (target,) = result.objects
        assert (target.id, target.description) == (1, "red mug")
        assert target.state == TrackState.TRACKING
        assert target.mask.shape == SIZE
        assert target.area == target.mask.sum() > 0
        x, y, width, height = target.box
        assert target.mask[int(y) : int(y + height), int(x) : int(x + width)].sum() == target.area
    assert set(np.unique(results[-1].labels())) <= {0, 1}


def test_several_descriptions_have_ids_of_their_own(make, video):
    tracker = make("mug", "spoon")
    tracker.set_target("mug; spoon; unicorn")
    objects = steps(tracker, video, 2)[-1].objects
    assert [each.id for each in objects] == [1, 2, 0]
    assert [each.state for each in objects] == [TrackState.TRACKING, TrackState.TRACKING, TrackState.SEARCHING]
    assert objects[2].box is None
    assert not objects[2].mask.any()


def test_what_is_not_found_is_sought_ever_more_rarely(make, video, search):
    tracker = make(search_interval=0.15)
    tracker.set_target("mug")
    searches = []
    for index in range(32):  # 0.1 s apart
        tracker.step(video[index % len(video)], index * STEP)
        searches.append(len(search.searched))
    assert [index for index in range(32) if searches[index] > (searches[index - 1] if index else 0)] == [
        0,
        3,
        9,
        15,
        21,
        27,
    ]
    search.present.add("mug")
    (*sighted, found) = [result.objects[0] for result in steps(tracker, video, 1 + SIGHTINGS, first=32)[1:]]
    assert [each.state for each in sighted] == [TrackState.SEARCHING] * (SIGHTINGS - 1)
    assert (
        sighted[0].reason == "not found yet; 6 searches in vain; something was found, and is looked at again (1 of 3)"
    )
    assert found.state == TrackState.TRACKING


def test_what_is_found_once_among_searches_in_vain_is_not_taken(make, video, search):
    tracker = make(search_interval=0.0)
    tracker.set_target("mug")
    for index in range(20):
        search.present = {"mug"} if index % 3 else set()
        assert tracker.step(video[index % len(video)], index * STEP).objects[0].id == 0


def test_what_is_found_now_here_now_there_is_not_taken(make, video, search):
    tracker = make(search_interval=0.0)
    tracker.set_target("mug")
    steps(tracker, video, 1)
    search.present.add("mug")
    for index in range(1, 9):
        search.places["mug"] = index % 2
        assert tracker.step(video[index % len(video)], index * STEP).objects[0].id == 0
    assert steps(tracker, video, SIGHTINGS, first=9)[-1].objects[0].id == 1


def test_what_is_found_now_here_now_there_takes_no_others_turn(make, video, search):
    """Twice in each interval is all that it is searched."""
    tracker = make("mug", search_interval=0.4)
    tracker.set_target("mug")
    steps(tracker, video, 1)
    tracker.set_target("mug; cup; spoon")
    steps(tracker, video, 3, first=1)
    search.present.add("cup")
    search.searched.clear()
    for index in range(4, 44):
        search.places["cup"] = 1 + index % 2
        tracker.step(video[index % len(video)], index * STEP)
    counts = {name: search.searched.count([name]) for name in ("cup", "spoon")}
    assert 2 <= counts["spoon"] <= 4  # each time after twice as long, to 1.6 s
    assert counts["cup"] <= 2 * counts["spoon"] + 2


def test_what_cannot_be_taken_up_waits_as_if_it_were_not_found(make, video, search, sam, monkeypatch):
    tracker = make(search_interval=0.3)
    tracker.set_target("mug")
    steps(tracker, video, 1)
    search.present.add("mug")
    monkeypatch.setattr(sam, "remember_prompt", lambda *_: 1 / 0)
    results = steps(tracker, video, 30, first=1)
    assert len(search.searched) <= 1 + 4 * SIGHTINGS
    assert "searches in vain" in results[-1].objects[0].reason


TURNS = np.array([[1, 0, 0.4], [0, 1, 0]])


@pytest.mark.parametrize(("camera", "taken"), [(STILL, False), (TURNS, True)], ids=["still", "turns"])
def test_what_was_sighted_moves_with_the_camera(camera, taken):
    target = Target("mug", True, True, PruningState(Budget(PruningConfig())), failed_searches=1)
    for index in range(SIGHTINGS):
        target.follow(camera)
        last = target.sight((0.1 + 0.4 * index, 0.3, 0.2, 0.2))
    assert last == taken


def test_what_was_sighted_moves_with_the_camera_in_frames_in_which_it_is_not_searched(make, video, search, monkeypatch):
    tracker = make(search_interval=0.0)
    tracker.set_target("mug; cup; spoon")
    steps(tracker, video, 1)
    search.places = {"mug": 0, "cup": 1, "spoon": 0}
    search.present = {"mug"}
    steps(tracker, video, 1, first=1)
    search.present = {"mug", "cup", "spoon"}
    steps(tracker, video, 2, first=2)
    search.searched.clear()
    update, a_place_on = MotionEstimator.update, np.array([[1, 0, 28 / 64], [0, 1, 0]])
    monkeypatch.setattr(MotionEstimator, "update", lambda *given: replace(update(*given), camera=a_place_on))
    search.places = {"cup": 2, "spoon": 1}
    steps(tracker, video, 1, first=4)
    monkeypatch.setattr(MotionEstimator, "update", lambda *given: replace(update(*given), camera=STILL))
    steps(tracker, video, 1, first=5)
    assert search.searched == [["cup"], ["spoon"]]
    assert tracker.targets[2].id


def test_what_was_sighted_is_looked_at_again_before_others_are_searched(make, video, search):
    tracker = make("mug", search_interval=0.0)
    tracker.set_target("mug; cup; spoon")
    steps(tracker, video, 3)
    search.present.add("cup")
    results = steps(tracker, video, 4, first=3)
    assert "cup" in [each.description for each in results[-1].objects if each.id]


def test_while_something_is_tracked_a_frame_has_one_search_at_most(make, video, search):
    tracker = make("mug", search_interval=0.0)
    tracker.set_target("mug")
    steps(tracker, video, 1)
    tracker.set_target("mug; cup; spoon")
    steps(tracker, video, 2, first=1)
    assert search.searched == [["mug"], ["cup"], ["spoon"]]


def test_what_another_target_holds_is_not_found_again(make, video, monkeypatch, search):
    tracker = make("mug")
    tracker.set_target("mug")
    steps(tracker, video, 2)
    tracker.set_target("mug; cup")

    def the_mug_again(frame, features, wanted, segmenter, config, dense=None, others=()):
        nothing = torch.zeros(0)
        return [Grounding("cup", tracker.targets[0].pruning.mask[0], BOX, nothing, nothing, 0.9, 0.2)]

    monkeypatch.setattr(search, "search", the_mug_again)
    mug, cup = steps(tracker, video, 1, first=2)[0].objects
    assert mug.state == TrackState.TRACKING
    assert cup.state == TrackState.SEARCHING


def test_the_same_description_again_changes_nothing(make, video, search):
    tracker = make("mug")
    tracker.set_target("mug")
    steps(tracker, video, 2)
    tracker.set_target("mug")
    assert steps(tracker, video, 1, first=2)[0].objects[0].id == 1
    assert len(search.searched) == 1


def test_a_new_description_replaces_the_old_one_under_a_new_id(make, video):
    tracker = make("mug", "spoon")
    tracker.set_target("mug")
    steps(tracker, video, 2)
    tracker.set_target("spoon")
    (target,) = steps(tracker, video, 1, first=2)[0].objects
    assert (target.id, target.description) == (2, "spoon")


def test_after_a_new_description_no_mask_of_the_old_target_is_given_out(make, video):
    tracker = make("red mug")
    tracker.set_target("red mug")
    assert steps(tracker, video, 2)[-1].union_mask().any()
    tracker.set_target("unicorn")
    for result in steps(tracker, video, 3, first=2):
        assert [target.description for target in result.objects] == ["unicorn"]
        assert not result.union_mask().any()


@pytest.mark.parametrize("blank", ["", "   ", " ; ;\n"])
def test_a_blank_description_ends_tracking(make, video, blank):
    tracker = make("mug")
    tracker.set_target("mug")
    steps(tracker, video, 2)
    assert tracker.set_target(blank) == ()
    assert steps(tracker, video, 1, first=2)[0].objects == ()
    assert tracker.memory_bytes == 0


@pytest.mark.parametrize("text", ["mug " * 2500, "; ".join(f"mug {n}" for n in range(20))], ids=["10 kB", "too many"])
def test_a_refused_description_leaves_the_targets_as_they_were(make, video, text):
    tracker = make("mug")
    tracker.set_target("mug")
    steps(tracker, video, 2)
    with pytest.raises(InputError):
        tracker.set_target(text)
    assert steps(tracker, video, 1, first=2)[0].objects[0].id == 1


def test_texts_are_refused_without_a_language_model(sam):
    config = TrackerConfig(language=LanguageConfig(name=NONE))
    tracker = TextTracker(LoadedSam2(sam, True), TextSearch(config.language, torch.device("cpu")), config)
    with pytest.raises(InputError, match=r"language\.name"):
        tracker.set_target("mug")
