"""Frames of two sizes in one stream: what is tracked goes on."""

from __future__ import annotations

import itertools
from dataclasses import replace

import pytest
import torch
from small_models import small_sam2

from fastsam2_ros.config import LanguageConfig, PruningConfig, TrackerConfig
from fastsam2_ros.lab.evaluation.upstream import noise_video
from fastsam2_ros.language.search import NONE, TextSearch
from fastsam2_ros.pruning.budget import Budget
from fastsam2_ros.pruning.state import PruningState
from fastsam2_ros.streaming.loading import LoadedSam2
from fastsam2_ros.streaming.model import StreamingSam2
from fastsam2_ros.tracker import TextTracker

SIZE = (96, 128)
STEP = 100_000_000
STAMPS = itertools.count(STEP, STEP)
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


def make(loaded, clock=None, max_skip=0, **pruning) -> TextTracker:
    config = TrackerConfig(
        language=LanguageConfig(name=NONE), pruning=PruningConfig(**pruning), search_seconds=600.0, max_skip=max_skip
    )
    search = TextSearch(config.language, torch.device("cpu"))
    return TextTracker(loaded, search, config, **({} if clock is None else {"clock": clock}))


def steps(tracker, count):
    """Through so many more frames; stamps rise."""
    video = noise_video(4, SIZE)
    return [tracker.step(video[index % 4], next(STAMPS)) for index in range(count)]


def test_under_a_load_frames_are_small_and_after_it_large_again(loaded):
    clock = Slow()
    tracker = make(loaded, clock, target_rate=10.0)
    tracker.set_box((20, 20, 50, 40))
    tracker.set_box((70, 30, 40, 40))
    at_first = steps(tracker, 4)
    clock.tick = 0.1
    under_load = steps(tracker, 12)
    clock.tick = 0.0001
    after = steps(tracker, 30)
    assert {result.tokens_total for result in at_first} == {LARGE}
    assert under_load[-1].tokens_total == SMALL
    assert after[-1].tokens_total == LARGE
    every = at_first + under_load + after
    assert not any(
        "is not held" in warning for result in every for warning in result.warnings if result.tokens_total == LARGE
    )
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


def overloaded(loaded, **settings) -> tuple[TextTracker, Slow]:
    """One that has gone to small frames, and its clock."""
    clock = Slow()
    tracker = make(loaded, clock, target_rate=10.0, **settings)
    tracker.set_box((20, 20, 50, 40))
    steps(tracker, 1)
    clock.tick = 0.1
    while tracker.next_grid == (24, 24):
        steps(tracker, 1)
    return tracker, clock


def test_a_tracker_encodes_at_the_size_that_it_needs(loaded):
    tracker, _ = overloaded(loaded)
    frames = noise_video(1, SIZE)
    assert tracker.encode(frames)[0].grid == tracker.next_grid == (16, 16)
    assert tracker.sibling().encode(frames)[0].grid == (24, 24)
    tracker.reset()
    assert tracker.encode(frames)[0].grid == tracker.next_grid == (24, 24)


def test_settings_change_in_small_frames(loaded):
    tracker, _ = overloaded(loaded)
    tracker.reconfigure(replace(tracker.config, max_targets=3))
    assert tracker.next_grid == (16, 16)
    tracker.reconfigure(replace(tracker.config, pruning=PruningConfig()))
    assert tracker.next_grid == (24, 24)
    assert [each.id for each in steps(tracker, 1)[0].objects] == [1]


def test_what_is_given_in_the_frame_of_the_change_is_started(loaded):
    tracker, _ = overloaded(loaded)
    tracker.set_box((70, 30, 40, 40))
    (result,) = steps(tracker, 1)
    assert result.tokens_total == SMALL
    assert [each.id for each in result.objects] == [1, 2]
    assert not any("failed" in warning for warning in result.warnings)


def test_tokens_are_viewed_on_the_grid_that_they_are_of(loaded):
    tracker, _ = overloaded(loaded)
    result = tracker.step(noise_video(1, SIZE)[0], next(STAMPS), view_tokens=True)
    assert result.tokens.targets[0].kept.shape == (16, 16)


def test_in_a_still_scene_large_frames_come_back(loaded):
    tracker, clock = overloaded(loaded, max_skip=4)
    clock.tick = 0.0001
    frame = noise_video(1, SIZE)[0]
    results = [tracker.step(frame, next(STAMPS)) for _ in range(60)]
    assert results[-1].tokens_total == LARGE
    assert any(result.confirmed for result in results)


@pytest.mark.parametrize(("large", "small"), [((24, 24), (16, 16)), ((16, 16), (24, 24)), ((32, 32), (20, 20))])
def test_a_mask_and_what_the_decoder_got_are_where_they_were(large, small):
    """The mask is the upper left corner; what the decoder got is the row and the column, in shares of the frame."""

    def carried(grid):
        rows, columns = torch.meshgrid(*((torch.arange(side) + 0.5) / side for side in grid), indexing="ij")
        mask = torch.full((1, 4 * grid[0], 4 * grid[1]), -9.0)
        mask[:, : grid[0], : 2 * grid[1]] = 9.0
        return mask, torch.stack((rows, columns), dim=2).flatten(0, 1)

    mask, conditioned = carried(large)
    state = PruningState(Budget(PruningConfig()), mask=mask, conditioned=conditioned)
    state.to_grid(large, small)
    wanted_mask, wanted_conditioned = carried(small)
    assert state.mask.shape == wanted_mask.shape
    assert ((state.mask > 0) != (wanted_mask > 0)).float().mean() < 0.02
    assert (state.conditioned - wanted_conditioned).abs().max() <= 0.5 / min(*large, *small) + 1e-5


def test_warming_up_is_for_both_sizes(loaded, monkeypatch):
    ran = []
    for name, sam in (("large", loaded.streaming), ("small", loaded.small)):
        encode = sam.encode
        monkeypatch.setattr(sam, "encode", lambda frame, encode=encode, name=name: (ran.append(name), encode(frame))[1])
    make(loaded).warm_up()
    assert set(ran) == {"large", "small"}
