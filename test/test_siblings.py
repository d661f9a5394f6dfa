"""Several trackers with the same models, and one encoder batch for their frames."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from small_models import small_sam2

from fastsam2_ros.config import LanguageConfig, TrackerConfig
from fastsam2_ros.errors import InputError
from fastsam2_ros.lab.evaluation.upstream import noise_video
from fastsam2_ros.language.search import NONE, TextSearch
from fastsam2_ros.streaming.loading import LoadedSam2
from fastsam2_ros.streaming.model import StreamingSam2
from fastsam2_ros.tracker import TextTracker

BOX = (30.0, 20.0, 60.0, 50.0)
STEP = 100_000_000


@pytest.fixture(scope="module")
def sam(device):
    return StreamingSam2(small_sam2().to(device))


@pytest.fixture
def tracker(sam):
    language = LanguageConfig(name=NONE)
    loaded = LoadedSam2(sam, untrained=True)
    return TextTracker(loaded, TextSearch(language, sam.device), TrackerConfig(language=language))


@pytest.fixture(scope="module")
def frames():
    """Two of different sizes."""
    return [noise_video(1, (120, 160))[0], noise_video(2, (90, 200))[1]]


@pytest.fixture
def encoded(sam):
    """Frames in each run of the models' encoder."""
    runs = []
    hook = sam.model.image_encoder.trunk.register_forward_hook(lambda _, images, __: runs.append(len(images[0])))
    yield runs
    hook.remove()


def test_a_sibling_has_the_same_models(tracker, frames, encoded):
    other = tracker.sibling()
    other.set_box(BOX)
    other.step(frames[0], 0)
    assert encoded == [1]


def test_a_sibling_has_targets_of_its_own(tracker, frames):
    other = tracker.sibling()
    tracker.set_box(BOX)
    assert len(tracker.step(frames[0], 0).objects) == 1
    assert other.step(frames[0], 0).objects == ()


def test_a_batch_gives_what_each_frame_alone_gives(sam, frames):
    together = sam.encode_batch(frames)
    for frame, found in zip(frames, together, strict=True):
        alone = sam.encode(frame)
        torch.testing.assert_close(found.tokens, alone.tokens, rtol=1e-3, atol=1e-3)
        torch.testing.assert_close(found.maps, alone.maps, rtol=1e-3, atol=1e-3)


def test_features_know_the_size_of_their_frame(tracker, frames):
    assert [each.size for each in tracker.encode(frames)] == [(120, 160), (90, 200)]


def test_a_batch_runs_the_encoder_once(tracker, frames, encoded):
    features = tracker.encode(frames)
    for each, frame, found in zip([tracker, tracker.sibling()], frames, features, strict=True):
        each.step(frame, 0, features=found)
    assert encoded == [2]


def test_the_time_of_a_batch_is_shared_among_the_steps(tracker, frames):
    features = tracker.encode(frames)
    results = [tracker.sibling().step(frame, 0, features=each) for frame, each in zip(frames, features, strict=True)]
    assert features[0].seconds == features[1].seconds > 0
    assert all(result.stage_seconds["encode"] >= features[0].seconds for result in results)


def test_a_batch_tracks_as_frames_alone_do(tracker, frames):
    alone = tracker.sibling()
    tracker.set_box(BOX)
    alone.set_box(BOX)
    for index in range(3):
        features = tracker.encode(frames)[0]
        found = tracker.step(frames[0], index * STEP, features=features).objects[0]
        expected = alone.step(frames[0], index * STEP).objects[0]
        assert np.count_nonzero(found.mask ^ expected.mask) <= 0.01 * found.mask.size


def test_a_batch_of_what_is_no_frame_is_refused(tracker):
    with pytest.raises(InputError, match="uint8"):
        tracker.encode([np.zeros((4, 4), np.uint8)])
