"""Frames of two sizes in one stream: what is tracked goes on."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import torch
from small_models import small_sam2

from fastsam2_ros.config import LanguageConfig, PruningConfig, TrackerConfig
from fastsam2_ros.lab.evaluation.upstream import noise_video
from fastsam2_ros.language.search import NONE, TextSearch
from fastsam2_ros.streaming.loading import LoadedSam2
from fastsam2_ros.streaming.model import StreamingSam2
from fastsam2_ros.tracker import TextTracker

SIZE = (96, 128)
STEP = 100_000_000
LARGE, SMALL = 24 * 24, 16 * 16


@pytest.fixture(scope="module")
def loaded(device):
    large, small = (StreamingSam2(small_sam2(image_size=side).to(device)) for side in (384, 256))
    return LoadedSam2(large, True, small)


class Slow:
    """A clock by which a step takes so many seconds, whatever it is: each stage looks at it twice."""

    def __init__(self) -> None:
        self.now, self.tick = 0.0, 0.0

    def __call__(self) -> float:
        self.now += self.tick
        return self.now


def make(loaded, clock=None, **pruning) -> TextTracker:
    config = TrackerConfig(language=LanguageConfig(name=NONE), pruning=PruningConfig(**pruning), search_seconds=600.0)
    search = TextSearch(config.language, torch.device("cpu"))
    return TextTracker(loaded, search, config, **({} if clock is None else {"clock": clock}))


def steps(tracker, count, first=0):
    video = noise_video(4, SIZE)
    return [tracker.step(video[index % 4], index * STEP) for index in range(first, first + count)]


def test_under_a_load_frames_are_small_and_after_it_large_again(loaded):
    clock = Slow()
    tracker = make(loaded, clock, target_rate=10.0)
    tracker.set_box((20, 20, 50, 40))
    tracker.set_box((70, 30, 40, 40))
    at_first = steps(tracker, 4)
    clock.tick = 0.1
    under_load = steps(tracker, 12, first=4)
    clock.tick = 0.0001
    after = steps(tracker, 30, first=16)
    assert {result.tokens_total for result in at_first} == {LARGE}
    assert under_load[-1].tokens_total == SMALL
    assert after[-1].tokens_total == LARGE
    every = at_first + under_load + after
    assert {tuple(each.id for each in result.objects) for result in every} == {(1, 2)}
    assert all(each.mask.shape == SIZE for result in every for each in result.objects)
    total = [result.tokens_total for result in every]
    assert sum(one != other for one, other in itertools.pairwise(total)) == 2


def test_without_small_frames_they_stay_large(loaded):
    clock = Slow()
    clock.tick = 0.1
    tracker = make(LoadedSam2(loaded.streaming, True), clock, target_rate=10.0)
    tracker.set_box((20, 20, 50, 40))
    results = steps(tracker, 12)
    assert {result.tokens_total for result in results} == {LARGE}
    assert any("is not held" in warning for warning in results[-1].warnings)


@pytest.mark.parametrize("keep_ratio", [0.0, 1.0])
def test_what_was_encoded_at_a_size_is_tracked_at_it(loaded, keep_ratio):
    """As with several cameras, whose frames one tracker encodes for all."""
    tracker = make(loaded, keep_ratio=keep_ratio)
    tracker.set_box((20, 20, 50, 40))
    video = noise_video(6, SIZE)
    for index, frame in enumerate(video):
        sam = loaded.small if index in (1, 2, 4) else loaded.streaming
        result = tracker.step(frame, index * STEP, features=sam.encode(frame))
        assert result.tokens_total == (SMALL if index in (1, 2, 4) else LARGE)
        assert [each.id for each in result.objects] == [1]


def test_a_tracker_encodes_at_the_size_that_it_needs(loaded):
    clock = Slow()
    clock.tick = 0.1
    tracker = make(loaded, clock, target_rate=10.0)
    tracker.set_box((20, 20, 50, 40))
    assert tracker.encode([noise_video(1, SIZE)[0]])[0].grid == (24, 24)
    steps(tracker, 12)
    assert tracker.encode([noise_video(1, SIZE)[0]])[0].grid == (16, 16)
    tracker.reset()
    assert tracker.encode([noise_video(1, SIZE)[0]])[0].grid == (24, 24)


def test_a_mask_is_where_it_was_at_the_other_size(loaded):
    """The mask and what the decoder got, which the next frame is filled from, are those of the last frame, scaled."""
    tracker = make(loaded, max_keep_ratio=0.5)
    mask = np.zeros(SIZE, bool)
    mask[30:60, 40:90] = True
    tracker.set_mask(mask)
    video = noise_video(3, SIZE)
    for index in range(2):
        tracker.step(video[index], index * STEP, features=loaded.streaming.encode(video[index]))
    before = tracker.targets[0].pruning.copy()
    moved = before.copy()
    moved.to_grid((24, 24), (16, 16))
    assert moved.mask.shape == (1, 64, 64)
    assert moved.conditioned.shape == (SMALL, before.conditioned.shape[1])
    assert torch.allclose(moved.mask.clamp(-9, 9).mean(), before.mask.clamp(-9, 9).mean(), atol=0.5)
    assert torch.allclose(moved.conditioned.float().mean(0), before.conditioned.float().mean(0), atol=0.1)


def test_warming_up_is_for_both_sizes(loaded, monkeypatch):
    ran = []
    for name, sam in (("large", loaded.streaming), ("small", loaded.small)):
        encode = sam.encode
        monkeypatch.setattr(sam, "encode", lambda frame, encode=encode, name=name: (ran.append(name), encode(frame))[1])
    make(loaded).warm_up()
    assert set(ran) == {"large", "small"}
