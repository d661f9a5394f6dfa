"""A step happens or does not, whatever fails in it; and what was given or found stays what it is."""

from __future__ import annotations

import copy
import pickle
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from small_models import small_sam2

from fastsam2_ros import stages, targets
from fastsam2_ros.config import LanguageConfig, ModelConfig, PruningConfig, TrackerConfig
from fastsam2_ros.errors import InputError
from fastsam2_ros.lab.evaluation.upstream import noise_video
from fastsam2_ros.language.grounding import Grounding
from fastsam2_ros.language.search import NONE, TextSearch
from fastsam2_ros.pruning import motion, router
from fastsam2_ros.results import TrackState
from fastsam2_ros.streaming.loading import LoadedSam2, load_sam2
from fastsam2_ros.streaming.model import StreamingSam2
from fastsam2_ros.torch_settings import neutral_torch
from fastsam2_ros.tracker import TextTracker

STEP = 100_000_000
SIZE = (96, 128)
BOX = (40.0, 30.0, 50.0, 40.0)
SETTINGS = {"lost_seconds": 0.1, "search_seconds": 0.1, "search_interval": 0.0}


class Search(TextSearch):
    """Finds every text in the places that a test gives, in turn; raises what it gives instead."""

    def __init__(self):
        super().__init__(LanguageConfig(name=NONE), torch.device("cpu"))
        self.config = LanguageConfig()
        self.place = (16, 12)
        self.places: dict[str, tuple[int, int, int, int]] = {}
        self.error: Exception | None = None

    def require(self):
        pass

    def search(self, frame, features, wanted, segmenter, config, dense=None, others=()):
        if self.error is not None:
            raise self.error
        return [self.found(each.description) for each in wanted]

    def found(self, description):
        top, left, height, width = self.places.get(description, (*self.place, 24, 24))
        logits, nothing = torch.full((64, 64), -5.0), torch.zeros(0)
        logits[top : top + height, left : left + width] = 5.0
        return Grounding(description, logits, BOX, nothing, nothing, 0.8, 0.1)


@pytest.fixture(scope="module")
def video():
    return noise_video(8, SIZE)


@pytest.fixture
def sam():
    return StreamingSam2(small_sam2())


@pytest.fixture
def search():
    return Search()


@pytest.fixture
def tracker(sam, search):
    return TextTracker(LoadedSam2(sam, "small", untrained=True), search, TrackerConfig(**SETTINGS))


def step(tracker, video, number):
    return tracker.step(video[number % len(video)], number * STEP)


def recent(tracker):
    return [[frame.index for frame in target.memory.recent] for target in tracker.targets if target.memory]


def hide(sam, monkeypatch):
    """The model judges every target to be absent."""
    decode = sam.decode

    def nothing(features, conditioned):
        seen = decode(features, conditioned)
        absent = torch.full_like(seen.low_res, -1024.0)
        return type(seen)(absent, seen.high_res, seen.predicted_iou, seen.object_score * 0 - 9, seen.pointer)

    monkeypatch.setattr(sam, "decode", nothing)


STAGES = {
    "encode": (StreamingSam2, "encode"),
    "motion": (motion.MotionEstimator, "update"),
    "route": (router.Router, "cue_maps"),
    "attend": (StreamingSam2, "condition"),
    "decode": (StreamingSam2, "decode"),
    "look": (stages, "looks_of"),
    "remember": (StreamingSam2, "remember"),
}


@pytest.mark.parametrize("late", [False, True], ids=["before the stage", "after it"])
@pytest.mark.parametrize("stage", STAGES)
def test_a_step_that_fails_has_not_happened(sam, search, video, monkeypatch, stage, late):
    """The tracker goes on as one that was never given the frame."""
    trackers = [TextTracker(LoadedSam2(sam, "small", True), search, TrackerConfig(**SETTINGS)) for _ in range(2)]
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


def test_a_search_that_fails_does_not_stop_tracking(tracker, search, video):
    tracker.set_box(BOX)
    step(tracker, video, 0)
    search.error = torch.OutOfMemoryError("CUDA out of memory")
    tracker.set_target("mug")
    for number in range(1, 5):
        result = step(tracker, video, number)
        assert any("OutOfMemoryError: CUDA out of memory" in warning for warning in result.warnings)
        assert result.objects[0].area > 0
    assert recent(tracker) == [[1, 2, 3, 4]]
    search.error = None
    assert step(tracker, video, 5).objects[1].id == 2


def test_a_failed_search_waits_for_twice_its_interval(sam, search, video):
    tracker = TextTracker(LoadedSam2(sam, "small", True), search, TrackerConfig(search_interval=0.25))
    search.error = RuntimeError("no")
    tracker.set_target("mug")
    assert [bool(step(tracker, video, number).warnings) for number in range(6)] == [True, *[False] * 4, True]


def test_a_failed_keyframe_waits_for_twice_its_interval(sam, search, video, monkeypatch):
    config = TrackerConfig(search_interval=0.25, pruning=PruningConfig(text_weight=0.5))
    nothing = SimpleNamespace(ready=False, aim=lambda wanted: None, of=lambda tokens: None)
    nothing.copy = lambda: nothing
    monkeypatch.setattr(search, "new_relevance", lambda: nothing)
    monkeypatch.setattr(search, "dense", lambda *_: 1 / 0)
    tracker = TextTracker(LoadedSam2(sam, "small", True), search, config)
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


@pytest.mark.parametrize("change", CHANGES)
def test_an_observer_that_changes_the_tracker_is_refused(sam, search, video, change):
    calls = []
    loaded = LoadedSam2(sam, "small", True)
    tracker = TextTracker(loaded, search, TrackerConfig(), observer=lambda seen: [call(tracker) for call in calls])
    tracker.set_box(BOX)
    step(tracker, video, 0)
    calls.append(CHANGES[change])
    with pytest.raises(InputError, match=f"{change} was called within a step"):
        step(tracker, video, 1)
    calls.clear()
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
    monkeypatch.setattr(stages, "SAME_LOOK", -1.0)
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
def test_a_find_of_a_cell_is_an_object_and_spoils_no_other(tracker, search, size):
    search.places = {"speck": (60, 61, 1, 1), "thread": (8, 2, 1, 40)}
    tracker.set_target("mug; speck; thread")
    result = tracker.step(noise_video(1, size)[0], 0)
    assert result.warnings == ()
    by_name = {each.description: each for each in result.objects}
    assert by_name["mug"].state == TrackState.TRACKING
    if size != (3, 3):  # where there is no room for three
        assert {each.state for each in result.objects} == {TrackState.TRACKING}


def test_a_find_that_fails_leaves_the_others(tracker, sam, search, video, monkeypatch):
    search.places = {"bad": (40, 40, 8, 8)}
    prompt = sam.decode_prompt

    def failing(features, given):
        if given.mask[60:, 80:].any():
            raise RuntimeError("out of memory")
        return prompt(features, given)

    monkeypatch.setattr(sam, "decode_prompt", failing)
    tracker.set_target("bad; mug")
    result = step(tracker, video, 0)
    assert {each.description: each.state.name for each in result.objects} == {"mug": "TRACKING", "bad": "SEARCHING"}
    assert "out of memory" in result.warnings[0]


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


@pytest.mark.parametrize("x", [0.0, 63.6, 127.0])
def test_a_box_of_one_pixel_may_lie_between_pixels(tracker, video, x):
    tracker.set_box((x, 5.3, 1.0, 1.0))
    result = step(tracker, video, 0)
    assert result.warnings == ()
    assert result.objects[0].state == TrackState.TRACKING


def test_what_looks_otherwise_does_not_get_the_lost_ones_id(search, monkeypatch):
    """Fine noise on the left, and a flat bright wall on the right, as the model that ships sees them."""
    loaded = load_sam2(ModelConfig(device="cpu"))
    sam, tracker = loaded.streaming, TextTracker(loaded, search, TrackerConfig(**SETTINGS))
    frame = np.full((*SIZE, 3), 30, np.uint8)
    frame[:, :64] = np.random.default_rng(0).integers(0, 256, (96, 64, 3), np.uint8)
    frame[:, 64:] = (250, 240, 20)
    search.place = (16, 4)
    tracker.set_target("mug")
    tracker.step(frame, 0)
    hide(sam, monkeypatch)
    search.place = (16, 36)
    for number in range(1, 6):
        (found,) = tracker.step(frame, number * STEP).objects
    assert (found.id, found.state) == (1, TrackState.SEARCHING)
    search.place = (16, 4)
    assert tracker.step(frame, 6 * STEP).objects[0].state == TrackState.TRACKING


def test_what_a_doubted_target_holds_is_not_taken(sam, search, video, monkeypatch):
    tracker = TextTracker(LoadedSam2(sam, "small", True), search, TrackerConfig(uncertain_score=1.0, **SETTINGS))
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


def test_texts_boxes_and_masks_live_side_by_side(tracker, search, video):
    mask = np.zeros(SIZE, bool)
    mask[60:90, 90:120] = True
    tracker.set_box((2.0, 2.0, 20.0, 20.0))
    tracker.set_mask(mask, "mug")
    step(tracker, video, 0)
    search.place = (2, 36)
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


SURROUNDINGS = {
    "autocast": lambda: torch.autocast("cpu", torch.bfloat16),
    "no_grad": torch.no_grad,
    "inference_mode": torch.inference_mode,
    "a default device": lambda: torch.device("meta"),
}


@pytest.fixture
def float64():
    torch.set_default_dtype(torch.float64)
    yield
    torch.set_default_dtype(torch.float32)


def masks(video):
    """Of a tracker from its models on: what a user does."""
    with torch.random.fork_rng():
        tracker = TextTracker.from_config(TrackerConfig())
    tracker.set_target("red ball; blue box")
    tracker.set_box(BOX)
    return [step(tracker, video, number).labels() for number in range(4)]


@pytest.fixture(scope="module")
def usual(video):
    return masks(video)


@pytest.mark.parametrize("name", SURROUNDINGS)
def test_torchs_settings_around_a_tracker_change_nothing(video, usual, name):
    with SURROUNDINGS[name]():
        found = masks(video)
    assert all(np.array_equal(*pair) for pair in zip(found, usual, strict=True))


def test_a_default_type_changes_nothing_and_is_left_as_it_was(video, usual, float64):
    assert all(np.array_equal(*pair) for pair in zip(masks(video), usual, strict=True))
    assert torch.get_default_dtype() == torch.float64


def test_blocks_in_several_threads_keep_the_default_type_until_the_last_ends(float64):
    with ExitStack() as first, ThreadPoolExecutor(1) as pool:
        first.enter_context(neutral_torch())
        second = neutral_torch()
        pool.submit(second.__enter__).result()
        first.close()
        assert pool.submit(torch.get_default_dtype).result() == torch.float32
        pool.submit(second.__exit__, None, None, None).result()
    assert torch.get_default_dtype() == torch.float64


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
