"""Shares of tokens through the tracker: per target, by every policy, and what they cost."""

from __future__ import annotations

import itertools
import time

import cv2
import numpy as np
import pytest
import torch

from fastsam2_ros.config import LanguageConfig, PruningConfig, TrackerConfig
from fastsam2_ros.finding import Finding
from fastsam2_ros.language.search import NONE, TextSearch
from fastsam2_ros.results import FINDING_STAGES, TrackState
from fastsam2_ros.streaming.loading import LoadedSam2
from fastsam2_ros.streaming.model import StreamingSam2
from fastsam2_ros.tracker import TextTracker

SIZE = (96, 128)
STEP = 100_000_000
PRUNING = PruningConfig(max_keep_ratio=1.0, min_keep_ratio=0.15, fall_seconds=0.2)
SPEED = 4  # pixels in a frame


@pytest.fixture
def make(sam):
    def build(pruning: PruningConfig = PRUNING, streaming: StreamingSam2 = sam, clock=time.perf_counter) -> TextTracker:
        # What a random model shows does not look like the target: it would be searched, and prompted again.
        config = TrackerConfig(language=LanguageConfig(name=NONE), pruning=pruning, search_seconds=600.0)
        search = TextSearch(config.language, torch.device("cpu"))
        return TextTracker(LoadedSam2(streaming, untrained=True), search, config, clock=clock)

    return build


def square(x: int, y: int) -> np.ndarray:
    mask = np.zeros(SIZE, bool)
    mask[y : y + 28, x : x + 28] = True
    return mask


def scene(moved: int) -> np.ndarray:
    """A still background with a square that has moved to the right by so many pixels."""
    generator = np.random.default_rng(0)
    noise = cv2.GaussianBlur(generator.integers(0, 256, (*SIZE, 3), np.uint8), (0, 0), 3).astype(np.float32)
    frame = np.clip((noise - 128) * 6 + 128, 0, 255).astype(np.uint8)
    thing = frame[60:88, 90:118, ::-1].copy()
    frame[8:36, 8 + moved : 36 + moved] = thing
    return frame


def plant(sam, monkeypatch, masks_at, iou=0.95):
    """From now on the model sees, with this IoU, the masks that `masks_at` gives for the index of a frame, from 1 on."""
    decode, index = sam.decode, itertools.count(1)

    def planted(features, conditioned):
        decoded = decode(features, conditioned)
        masks = torch.from_numpy(np.stack(masks_at(next(index)))).to(decoded.low_res)[:, None]
        logits = torch.nn.functional.interpolate(masks, decoded.low_res.shape[2:]) * 20 - 10
        seen = masks.flatten(1).any(1).float() * 20 - 10
        return type(decoded)(logits, decoded.high_res, torch.full_like(seen, iou), seen, decoded.pointer)

    monkeypatch.setattr(sam, "decode", planted)


def test_a_target_that_moves_gets_more_than_one_that_stands_still(make, sam, monkeypatch):
    tracker = make()
    tracker.set_mask(square(8, 8), "runner")
    tracker.set_mask(square(20, 60), "rock")
    plant(sam, monkeypatch, lambda index: [square(8 + SPEED * index, 8), square(20, 60)])
    for index in range(8):
        result = tracker.step(scene(SPEED * index), index * STEP)
    runner, rock = result.objects
    assert (runner.state, rock.state) == (TrackState.TRACKING, TrackState.TRACKING)
    assert rock.keep_ratio == 0.15
    assert runner.keep_ratio > 0.25
    assert result.keep_ratio == pytest.approx((runner.keep_ratio + rock.keep_ratio) / 2)
    counts = [each.queries for each in result.attention]
    assert counts == [round(each.keep_ratio * 256) for each in result.objects]
    newest = [len(target.memory.recent[-2].tokens) for target in tracker.targets]
    assert newest[0] > newest[1]  # memory is written by each target's own share, too
    assert result.attention_flops == sum(sam.attention_size.flops(each) for each in result.attention) > 0


def test_a_large_target_gets_more_than_a_small_one(make, sam, monkeypatch):
    wall = np.ones(SIZE, bool)
    tracker = make()
    tracker.set_mask(wall, "wall")
    tracker.set_mask(square(20, 60), "rock")
    plant(sam, monkeypatch, lambda index: [wall, square(20, 60)])
    for index in range(8):
        result = tracker.step(scene(0), index * STEP)
    assert [each.keep_ratio for each in result.objects] == [1.0, 0.15]


def test_a_doubted_target_takes_nothing_for_the_others(make, sam, monkeypatch):
    tracker = make()
    tracker.set_mask(square(8, 8), "gone")
    tracker.set_mask(square(20, 60), "rock")
    nothing = np.zeros(SIZE, bool)
    plant(sam, monkeypatch, lambda index: [square(8, 8) if index < 5 else nothing, square(20, 60)])
    shares = [[each.keep_ratio for each in tracker.step(scene(0), index * STEP).objects] for index in range(20)]
    gone, rock = zip(*shares, strict=True)
    assert rock[-1] == rock[7] == gone[5] == 0.15
    assert gone[7] == 1.0  # it vanished a moment ago
    assert gone[-1] == 0.15  # it is gone for good


def test_right_after_a_prompt_every_token_is_conditioned(make):
    """Nothing is there yet to fill the others with; what never met the memory would stay for as long as it is left out."""
    tracker = make(PruningConfig(keep_ratio=0.1))
    queries = []
    for index in range(6):
        if index in (0, 3):
            tracker.reset()
            tracker.set_mask(square(20, 60), "rock")
        queries.append([each.queries for each in tracker.step(scene(0), index * STEP).attention])
    assert queries == [[], [256], [26], [], [256], [26]]


def test_a_moving_camera_that_shows_nothing_new_costs_nothing(make, sam, monkeypatch):
    tracker = make()
    tracker.set_mask(square(50, 30), "rock")
    plant(sam, monkeypatch, lambda index: [square(50, 30)])
    still = scene(0)
    for index in range(8):
        zoom = cv2.getRotationMatrix2D((64, 44), 0, 1 + 0.02 * index)  # in, about the target
        result = tracker.step(cv2.warpAffine(still, zoom, SIZE[::-1]), index * STEP)
    assert result.objects[0].keep_ratio < 0.2


def masks(tracker, frames=5):
    tracker.set_mask(square(50, 30), "rock")
    return [tracker.step(scene(SPEED * index), index * STEP).labels() for index in range(frames)]


@pytest.fixture(scope="module")
def dense(sam):
    config = TrackerConfig(
        language=LanguageConfig(name=NONE), pruning=PruningConfig(keep_ratio=1.0), search_seconds=600.0
    )
    search = TextSearch(config.language, torch.device("cpu"))
    return masks(TextTracker(LoadedSam2(sam, untrained=True), search, config))


def test_a_ceiling_of_one_is_dense(make, dense):
    """Scores are made and tokens are ranked, but none is left out."""
    pruning = PruningConfig(min_keep_ratio=1.0, max_keep_ratio=1.0, memory_interval=1)
    assert all(np.array_equal(*pair) for pair in zip(dense, masks(make(pruning)), strict=True))


@pytest.mark.parametrize(("memory_ratio", "keys"), [(0.0, 0.5 ** (1 / 3)), (0.25, 0.25), (1.0, 1.0)])
def test_keep_ratio_and_memory_ratio_are_shares_of_queries_and_keys(make, memory_ratio, keys):
    tracker = make(PruningConfig(keep_ratio=0.5, memory_ratio=memory_ratio))
    tracker.set_mask(square(50, 30), "rock")
    for index in range(9):
        result = tracker.step(scene(0), index * STEP)
    (counts,) = result.attention
    assert result.tokens_kept == counts.queries == 128
    assert counts.keys == pytest.approx(keys * 7 * 256, abs=5)


def test_memory_alone_can_be_pruned(make):
    tracker = make(PruningConfig(keep_ratio=1.0, memory_ratio=0.25))
    tracker.set_mask(square(50, 30), "rock")
    for index in range(9):
        result = tracker.step(scene(0), index * STEP)
    assert result.attention[0].queries == 256
    assert result.attention[0].keys == pytest.approx(0.25 * 7 * 256, abs=5)


def test_fewer_memory_frames_have_the_shares_of_so_many(make, sam):
    tracker = make(PruningConfig(keep_ratio=0.5, memory_ratio=0.5), StreamingSam2(sam.model, memory_frames=4))
    tracker.set_mask(square(50, 30), "rock")
    for index in range(7):
        result = tracker.step(scene(0), index * STEP)
    assert result.attention[0].keys == pytest.approx(0.5 * 4 * 256, abs=2)
    assert [len(frame.tokens) for frame, _ in tracker.targets[0].memory.frames(7)][1:3] == [128] * 2


def remembered(tracker, sam, monkeypatch, frames):
    """How many targets each of the frames after the first was remembered for."""
    remember, counts = sam.remember, []

    def counted(features, decoded, memories, index, *others):
        counts[index - 1] += len(memories)
        remember(features, decoded, memories, index, *others)

    monkeypatch.setattr(sam, "remember", counted)
    for index in range(frames):
        counts += [0] if index else []
        tracker.step(scene(0), index * STEP)
    return counts


@pytest.mark.parametrize(
    ("interval", "counts"), [(1, [1] * 9), (2, [1, 1, 1, 0, 1, 0, 1, 0, 1]), (4, [1, 1, 1, 0, 0, 0, 1, 0, 0])]
)
def test_of_a_sure_target_some_frames_are_remembered(make, sam, monkeypatch, interval, counts):
    tracker = make(PruningConfig(memory_interval=interval))
    tracker.set_mask(square(20, 60), "rock")
    plant(sam, monkeypatch, lambda index: [square(20, 60)])
    assert remembered(tracker, sam, monkeypatch, 10) == counts


def test_targets_take_turns_to_be_remembered(make, sam, monkeypatch):
    tracker = make(PruningConfig(memory_interval=2))
    tracker.set_mask(square(20, 60), "rock")
    tracker.set_mask(square(60, 10), "stone")
    plant(sam, monkeypatch, lambda index: [square(20, 60), square(60, 10)])
    assert remembered(tracker, sam, monkeypatch, 10)[2:] == [1] * 7


def test_with_a_fixed_keep_ratio_every_frame_is_remembered(make, sam, monkeypatch):
    tracker = make(PruningConfig(keep_ratio=0.5, memory_interval=4))
    tracker.set_mask(square(20, 60), "rock")
    plant(sam, monkeypatch, lambda index: [square(20, 60)])
    assert remembered(tracker, sam, monkeypatch, 8) == [1] * 7


def test_of_a_doubted_target_every_frame_is_remembered(make, sam, monkeypatch):
    tracker = make(PruningConfig(memory_interval=4))
    tracker.set_mask(square(20, 60), "rock")
    plant(sam, monkeypatch, lambda index: [square(20, 60)], iou=0.4)
    assert remembered(tracker, sam, monkeypatch, 8) == [1] * 7


def test_a_target_that_was_hidden_is_remembered_as_soon_as_it_is_seen_again(make, sam, monkeypatch):
    tracker = make(PruningConfig(memory_interval=8))
    tracker.set_mask(square(20, 60), "rock")
    nothing = np.zeros(SIZE, bool)
    plant(sam, monkeypatch, lambda index: [square(20, 60) if index < 4 or index > 12 else nothing])
    counts = remembered(tracker, sam, monkeypatch, 14)
    assert counts[3:12] == [0] * 9
    assert counts[12] == 1


@pytest.mark.parametrize("stage", sorted(FINDING_STAGES))
def test_the_deadline_does_not_mind_what_finding_takes(make, monkeypatch, stage):
    find, now = getattr(Finding, stage), 0.0

    def slow(*arguments):
        nonlocal now
        now += 10.0
        return find(*arguments)

    monkeypatch.setattr(Finding, stage, slow)
    tracker = make(PruningConfig(max_keep_ratio=1.0, target_rate=1.0), clock=lambda: now)
    tracker.set_mask(square(20, 60), "rock")
    results = [tracker.step(scene(0), index * STEP) for index in range(3)]
    assert [result.stage_seconds[stage] for result in results] == [10.0] * 3
    assert results[-1].keep_ratio == 1.0


@pytest.mark.parametrize(("rate", "told"), [(1e3, True), (1e-3, False)])
def test_a_rate_that_cannot_be_held_is_told(make, rate, told):
    tracker = make(PruningConfig(target_rate=rate))
    tracker.set_mask(square(20, 60), "rock")
    results = [tracker.step(scene(0), index * STEP) for index in range(5)]
    assert any("target_rate, 1000, is not held" in warning for warning in results[-1].warnings) == told
