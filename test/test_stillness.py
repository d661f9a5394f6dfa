"""Frames in which nothing has moved."""

from __future__ import annotations

import itertools

import cv2
import numpy as np
import pytest
import torch
from small_models import small_sam2

from fastsam2_ros.config import LanguageConfig, TrackerConfig
from fastsam2_ros.language.search import NONE, TextSearch
from fastsam2_ros.stillness import CHANGE, glance
from fastsam2_ros.streaming.loading import LoadedSam2
from fastsam2_ros.streaming.model import StreamingSam2
from fastsam2_ros.tracker import TextTracker

SIZE = (240, 320)
STEP = 33_000_000
SETTLED = 3  # frames, the one with the prompt included, after which a target is sure


def scene(moved: int = 0) -> np.ndarray:
    """A bright square on a dim background."""
    generator = np.random.default_rng(1)
    frame = cv2.GaussianBlur(generator.integers(0, 120, (*SIZE, 3), np.uint8), (0, 0), 5)
    frame[80:160, 100 + moved : 180 + moved] = (220, 60, 40)
    return frame


def square(moved: int = 0) -> np.ndarray:
    mask = np.zeros(SIZE, bool)
    mask[80:160, 100 + moved : 180 + moved] = True
    return mask


@pytest.fixture(scope="module")
def sam(device):
    return StreamingSam2(small_sam2().to(device))


@pytest.fixture
def make(sam, monkeypatch):
    """Trackers whose model sees the square where it was given, and is sure of it."""

    def build(**settings) -> TextTracker:
        config = TrackerConfig(language=LanguageConfig(name=NONE), **settings)
        loaded, search = LoadedSam2(sam, untrained=True), TextSearch(config.language, sam.device)
        tracker = TextTracker(loaded, search, config)
        tracker.set_mask(square(), "brick")
        return tracker

    decode = sam.decode

    def planted(features, conditioned):
        decoded = decode(features, conditioned)
        size = decoded.low_res.shape[2:]
        mask = cv2.resize(square().astype(np.float32), size[::-1], interpolation=cv2.INTER_AREA) * 20 - 10
        seen = torch.full_like(decoded.object_score, 10.0)
        logits = torch.from_numpy(mask).expand_as(decoded.low_res)
        return type(decoded)(logits, decoded.high_res, torch.full_like(seen, 0.95), seen, decoded.pointer)

    monkeypatch.setattr(sam, "decode", planted)
    return build


def confirmed(tracker: TextTracker, frames, start: int = 0) -> list[bool]:
    return [tracker.step(frame, (start + index) * STEP).confirmed for index, frame in enumerate(frames)]


def test_a_still_frame_is_confirmed_max_skip_times_in_a_row(make):
    seen = confirmed(make(max_skip=2), itertools.repeat(scene(), SETTLED + 7))
    assert seen == [False] * SETTLED + [True, True, False, True, True, False, True]


def test_without_max_skip_the_models_run_for_every_frame(make):
    assert not any(confirmed(make(max_skip=0), itertools.repeat(scene(), SETTLED + 3)))


def test_a_confirmed_frame_has_its_own_stamp_and_the_last_masks(make):
    tracker = make(max_skip=3)
    *_, before, after = [tracker.step(scene(), index * STEP) for index in range(SETTLED + 1)]
    assert after.confirmed
    assert (after.stamp_ns, after.frame_index) == (SETTLED * STEP, SETTLED)
    assert np.array_equal(after.objects[0].mask, before.objects[0].mask)
    assert after.objects[0].box == before.objects[0].box


def test_whoever_changes_a_mask_changes_no_later_one(make):
    tracker = make(max_skip=3)
    for index in range(SETTLED + 3):
        mask = tracker.step(scene(), index * STEP).objects[0].mask
        assert mask.any()
        mask[:] = False


def test_sensor_noise_is_no_change():
    still = cv2.resize(scene(), (1280, 720)).astype(np.float32)
    noise = np.random.default_rng(0).normal(0, 6, (2, *still.shape))
    before, after = (glance(np.clip(still + each, 0, 255).astype(np.uint8)) for each in noise)
    assert cv2.absdiff(before, after).max() <= CHANGE


@pytest.mark.parametrize("moved", [1, 4])
def test_what_moves_is_looked_at(make, moved):
    tracker = make(max_skip=9)
    assert confirmed(tracker, itertools.repeat(scene(), SETTLED + 1))[-1]
    assert confirmed(tracker, [scene(moved)], SETTLED + 1) == [False]


def test_what_moves_in_front_of_what_is_as_bright_is_looked_at(make):
    """Red and green of the same grey level."""
    frames = np.full((2, *SIZE, 3), (0, 130, 0), np.uint8)
    for frame, moved in zip(frames, (0, 4), strict=True):
        frame[square(moved)] = (255, 0, 0)
    still, then = frames
    tracker = make(max_skip=9)
    assert confirmed(tracker, itertools.repeat(still, SETTLED + 1))[-1]
    assert confirmed(tracker, [then], SETTLED + 1) == [False]


def test_what_creeps_is_compared_with_the_last_frame_that_was_looked_at(make):
    """From frame to frame the light changes by one grey level: too little to be seen, but it adds up."""
    tracker = make(max_skip=20)
    seen = confirmed(tracker, [np.clip(scene().astype(int) + index, 0, 255).astype(np.uint8) for index in range(12)])
    assert seen[SETTLED : SETTLED + CHANGE] == [True] * CHANGE
    assert not seen[SETTLED + CHANGE]


def test_a_new_target_is_started_at_once(make):
    tracker = make(max_skip=9)
    confirmed(tracker, itertools.repeat(scene(), SETTLED + 1))
    tracker.set_box((10.0, 10.0, 40.0, 40.0))
    result = tracker.step(scene(), (SETTLED + 1) * STEP)
    assert not result.confirmed
    assert len(result.objects) == 2


def test_another_size_is_looked_at(make):
    tracker = make(max_skip=9)
    confirmed(tracker, itertools.repeat(scene(), SETTLED + 1))
    assert confirmed(tracker, [cv2.resize(scene(), (200, 200))], SETTLED + 1) == [False]


def test_an_unsure_target_is_looked_at(make):
    assert not any(confirmed(make(max_skip=9, uncertain_score=0.97), itertools.repeat(scene(), SETTLED + 3)))


def test_skipped_frames_do_not_age_the_memory(make):
    tracker = make(max_skip=50)
    confirmed(tracker, itertools.repeat(scene(), SETTLED + 40))
    (target,) = tracker.targets
    assert [distance for _, distance in target.memory.frames(SETTLED + 40)] == [0, 2, 1]


def test_speed_after_confirmed_frames_is_over_all_the_time_since_the_frame_that_was_looked_at(make):
    after, passed_over = make(max_skip=9), 4
    assert confirmed(after, itertools.repeat(scene(), SETTLED + passed_over))[SETTLED:] == [True] * passed_over
    at_once = make(max_skip=0)
    confirmed(at_once, itertools.repeat(scene(), SETTLED))
    fast = at_once.step(scene(4), SETTLED * STEP).motion
    slow = after.step(scene(4), (SETTLED + passed_over) * STEP).motion
    assert 0 < slow == pytest.approx(fast / (passed_over + 1), rel=1e-6)


def test_confirmed_frames_count_for_the_next_search(make):
    tracker = make(max_skip=20)
    confirmed(tracker, itertools.repeat(scene(), SETTLED))
    (target,) = tracker.targets
    target.since_search = 0.0
    assert all(confirmed(tracker, itertools.repeat(scene(), 10), SETTLED))
    assert tracker.targets[0].since_search == pytest.approx(10 * STEP * 1e-9)


def test_the_view_of_tokens_is_of_the_frame(make):
    tracker = make(max_skip=9)
    confirmed(tracker, itertools.repeat(scene(), SETTLED + 1))
    assert tracker.step(scene(), (SETTLED + 1) * STEP, view_tokens=True).tokens is not None


def test_a_thing_that_starts_to_move_is_followed_from_the_first_frame():
    tracker = TextTracker.from_config(TrackerConfig(language=LanguageConfig(name=NONE), max_skip=8))
    tracker.set_mask(square(), "brick")
    assert any(confirmed(tracker, itertools.repeat(scene(), 8)))
    for index, moved in enumerate(range(3, 15, 3)):
        result = tracker.step(scene(moved), (8 + index) * STEP)
        mask, truth = result.objects[0].mask, square(moved)
        assert not result.confirmed
        assert (mask & truth).sum() / (mask | truth).sum() > 0.85


@pytest.mark.parametrize("size", [(1, 1), (1, 2000), (2000, 1), (3, 5000), (480, 640), (1080, 1920)])
def test_frames_of_any_size_can_be_compared(size):
    frame = np.random.default_rng(0).integers(0, 256, (*size, 3), np.uint8)
    assert np.array_equal(glance(frame), glance(frame.copy()))
