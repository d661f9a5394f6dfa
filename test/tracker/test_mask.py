"""Targets that are started with a mask."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from small_models import small_sam2

from fastsam2_ros.config import LanguageConfig, TrackerConfig
from fastsam2_ros.errors import InputError
from fastsam2_ros.language.search import NONE, TextSearch
from fastsam2_ros.streaming.loading import LoadedSam2
from fastsam2_ros.streaming.model import StreamingSam2
from fastsam2_ros.tracker import TextTracker


@pytest.fixture(scope="module")
def sam(device: torch.device) -> LoadedSam2:
    return LoadedSam2(StreamingSam2(small_sam2().to(device)), untrained=True)


@pytest.fixture
def tracker(sam: LoadedSam2) -> TextTracker:
    config = TrackerConfig(language=LanguageConfig(name=NONE), max_targets=3)
    return TextTracker(sam, TextSearch(config.language, torch.device("cpu")), config)


def disk(x: int, y: int) -> np.ndarray:
    rows, columns = np.mgrid[:96, :128]
    return (columns - x) ** 2 + (rows - y) ** 2 < 20**2


def overlap(one: np.ndarray, other: np.ndarray) -> float:
    return np.count_nonzero(one & other) / np.count_nonzero(one | other)


def test_the_prompted_frame_shows_the_mask_itself(tracker, noise_frame) -> None:
    tracker.set_mask(disk(64, 48), "red mug")
    (target,) = tracker.step(noise_frame, 0).objects
    assert overlap(target.mask, disk(64, 48)) > 0.9
    assert target.description == "red mug"


def test_ids_rise_in_the_order_of_calls(tracker, noise_frame) -> None:
    places = [(100, 60), (30, 30)]
    for place in places:
        tracker.set_mask(disk(*place))
    result = tracker.step(noise_frame, 0)
    assert [target.id for target in result.objects] == [1, 2]
    for target, place in zip(result.objects, places, strict=True):
        assert overlap(target.mask, disk(*place)) > 0.9


def test_a_later_mask_joins_the_targets_that_are_tracked(tracker, noise_frame) -> None:
    tracker.set_mask(disk(30, 30))
    tracker.step(noise_frame, 0)
    tracker.set_mask(disk(100, 60))
    assert [target.id for target in tracker.step(noise_frame, 40_000_000).objects] == [1, 2]


def test_the_target_goes_on_in_the_frames_after(tracker, noise_frame) -> None:
    tracker.set_mask(disk(64, 48))
    for number in range(3):
        result = tracker.step(noise_frame, number * 40_000_000)
    assert len(result.objects) == 1
    assert tracker.memory_bytes > 0


def test_a_mask_of_another_size_is_told_and_left_out(tracker, noise_frame) -> None:
    tracker.set_mask(np.ones((10, 10), bool))
    result = tracker.step(noise_frame, 0)
    assert not result.objects
    assert any("(10, 10)" in warning for warning in result.warnings)


@pytest.mark.parametrize(
    ("mask", "message"),
    [
        (np.zeros((96, 128), bool), "empty"),
        (np.ones((96, 128), np.uint8), "bool array"),
        (np.ones((96, 128, 1), bool), "bool array"),
        ([[True]], "list"),
    ],
)
def test_what_is_no_mask_is_refused(tracker, mask, message: str) -> None:
    with pytest.raises(InputError, match=message):
        tracker.set_mask(mask)


def test_masks_count_as_targets(tracker) -> None:
    for _ in range(3):
        tracker.set_mask(disk(64, 48))
    with pytest.raises(InputError, match="max_targets"):
        tracker.set_mask(disk(64, 48))


def test_masks_that_wait_are_forgotten_with_the_rest(tracker, noise_frame) -> None:
    tracker.set_mask(disk(64, 48))
    tracker.reset()
    assert not tracker.step(noise_frame, 0).objects
