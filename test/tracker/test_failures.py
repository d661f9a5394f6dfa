"""A step happens or does not, whatever fails in it; what fails in a search or a start is a warning."""

from __future__ import annotations

from functools import partial
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from fastsam2_ros import tracking
from fastsam2_ros.config import PruningConfig, TrackerConfig
from fastsam2_ros.errors import InputError
from fastsam2_ros.pruning import motion, router
from fastsam2_ros.pruning.router import WeightedSum
from fastsam2_ros.streaming.loading import LoadedSam2
from fastsam2_ros.streaming.model import StreamingSam2
from fastsam2_ros.targets import SIGHTINGS
from fastsam2_ros.tracker import TextTracker

from .planted import SIZE
from .sought import BOX, SETTINGS, recent, step

STAGES = {
    "encode": (StreamingSam2, "encode"),
    "motion": (motion.MotionEstimator, "update"),
    "route": (router.Router, "cue_maps"),
    "attend": (StreamingSam2, "condition"),
    "decode": (StreamingSam2, "decode"),
    "look": (tracking, "looks_of"),
    "remember": (StreamingSam2, "remember"),
}


@pytest.mark.parametrize("late", [False, True], ids=["before the stage", "after it"])
@pytest.mark.parametrize("stage", STAGES)
def test_a_step_that_fails_has_not_happened(sam, any_text, video, monkeypatch, stage, late):
    """The tracker goes on as one that was never given the frame."""
    trackers = [TextTracker(LoadedSam2(sam, True), any_text, TrackerConfig(**SETTINGS)) for _ in range(2)]
    for each in trackers:
        each.set_target("mug")
        each.set_box(BOX)
        for number in range(4):
            step(each, video, number)
    owner, name = STAGES[stage]
    original = getattr(owner, name)

    def failing(*args, **kwargs):
        if late:
            original(*args, **kwargs)
        raise RuntimeError("out of memory")

    with monkeypatch.context() as patch:
        patch.setattr(owner, name, failing)
        for _ in range(2):
            with pytest.raises(RuntimeError, match="out of memory"):
                step(trackers[0], video, 4)
    for number in range(5, 8):
        after, expected = (step(each, video, number) for each in trackers)
        assert after.frame_index == expected.frame_index == number - 1
        assert after.motion == expected.motion
        np.testing.assert_array_equal(after.labels(), expected.labels())
    assert recent(trackers[0]) == recent(trackers[1])


def test_a_search_that_fails_does_not_stop_tracking(sam, any_text, video):
    # What the box holds is not searched by its look, and every frame of it is remembered.
    config = TrackerConfig(search_interval=0.0, search_seconds=600.0, pruning=PruningConfig(memory_interval=1))
    tracker = TextTracker(LoadedSam2(sam, untrained=True), any_text, config)
    tracker.set_box(BOX)
    step(tracker, video, 0)
    any_text.error = torch.OutOfMemoryError("CUDA out of memory")
    tracker.set_target("mug")
    for number in range(1, 5):
        result = step(tracker, video, number)
        assert any("OutOfMemoryError: CUDA out of memory" in warning for warning in result.warnings)
        assert result.objects[0].area > 0
    assert recent(tracker) == [[1, 2, 3, 4]]
    any_text.error = None
    assert [step(tracker, video, number).objects[-1].id for number in range(5, 5 + SIGHTINGS)] == [0] * (
        SIGHTINGS - 1
    ) + [2]


def test_a_failed_search_waits_for_twice_its_interval(sam, any_text, video):
    tracker = TextTracker(LoadedSam2(sam, True), any_text, TrackerConfig(search_interval=0.25))
    any_text.error = RuntimeError("no")
    tracker.set_target("mug")
    assert [bool(step(tracker, video, number).warnings) for number in range(6)] == [True, *[False] * 4, True]


def test_a_failed_keyframe_waits_for_twice_its_interval(sam, any_text, video, monkeypatch):
    config = TrackerConfig(search_interval=0.25, pruning=PruningConfig(text_weight=0.5))
    nothing = SimpleNamespace(ready=False, aim=lambda wanted: None, of=lambda tokens: None)
    nothing.copy = lambda: nothing
    monkeypatch.setattr(any_text, "new_relevance", lambda: nothing)
    monkeypatch.setattr(any_text, "dense", lambda *_: 1 / 0)
    tracker = TextTracker(LoadedSam2(sam, True), any_text, config)
    tracker.set_box(BOX)
    results = [step(tracker, video, number) for number in range(6)]
    assert ["ZeroDivisionError" in " ".join(each.warnings) for each in results] == [True, *[False] * 4, True]


CHANGES = {
    "step": lambda tracker: tracker.step(np.zeros((*SIZE, 3), np.uint8), 10**12),
    "set_target": lambda tracker: tracker.set_target("cup"),
    "set_box": lambda tracker: tracker.set_box(BOX),
    "set_mask": lambda tracker: tracker.set_mask(np.ones(SIZE, bool)),
    "set_example": lambda tracker: tracker.set_example(np.zeros((*SIZE, 3), np.uint8)),
    "find_with": lambda tracker: tracker.find_with(None),
    "reconfigure": lambda tracker: tracker.reconfigure(tracker.config),
    "reset": lambda tracker: tracker.reset(),
}


class Meddler(WeightedSum):
    """Scores tokens by the default's weights, and calls what is planted."""

    def __init__(self):
        super().__init__(PruningConfig())
        self.calls = []

    def __call__(self, maps):
        for call in self.calls:
            call()
        return super().__call__(maps)


@pytest.mark.parametrize("change", CHANGES)
def test_a_scorer_that_changes_the_tracker_is_refused(sam, any_text, video, change):
    scorer = Meddler()
    tracker = TextTracker(LoadedSam2(sam, True), any_text, TrackerConfig(), scorer=scorer)
    tracker.set_box(BOX)
    step(tracker, video, 0)
    scorer.calls.append(partial(CHANGES[change], tracker))
    with pytest.raises(InputError, match=f"{change} was called within a step"):
        step(tracker, video, 1)
    scorer.calls.clear()
    result = step(tracker, video, 2)
    assert (result.frame_index, [each.id for each in result.objects]) == (1, [1])


def test_a_finder_that_changes_the_tracker_is_a_warning(tracker, video):
    tracker.find_with(SimpleNamespace(search=lambda *_, **__: tracker.set_target("")))
    tracker.set_target("mug")
    result = step(tracker, video, 0)
    assert any("set_target was called within a step" in each for each in result.warnings)
    assert [each.description for each in result.objects] == ["mug"]


def test_a_prompt_that_fails_takes_nothing_with_it(tracker, sam, video, monkeypatch):
    tracker.set_target("mug")
    step(tracker, video, 0)
    with monkeypatch.context() as patch:
        patch.setattr(sam, "remember_prompt", None)
        tracker.set_box(BOX)
        result = step(tracker, video, 1)
    assert [each.description for each in result.objects] == ["mug"]
    assert "TypeError" in result.warnings[0]
    assert step(tracker, video, 2).objects[0].id == 1


def test_a_find_that_fails_leaves_the_others(tracker, sam, any_text, video, monkeypatch):
    any_text.places = {"bad": (40, 40, 8, 8)}
    prompt = sam.decode_prompt

    def failing(features, given):
        if given.mask[80:, 80:].any():
            raise RuntimeError("out of memory")
        return prompt(features, given)

    monkeypatch.setattr(sam, "decode_prompt", failing)
    tracker.set_target("bad; mug")
    result = step(tracker, video, 0)
    assert {each.description: each.state.name for each in result.objects} == {"mug": "TRACKING", "bad": "SEARCHING"}
    assert "out of memory" in result.warnings[0]
