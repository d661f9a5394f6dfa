"""The tracker on a GPU: from frames to results, nothing stays behind on the CPU or comes from there."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from pretended_cuda import devices
from small_models import small_sam2

from fastsam2_ros.config import LanguageConfig, PruningConfig, TrackerConfig
from fastsam2_ros.lab.evaluation.upstream import noise_video
from fastsam2_ros.language.search import TextSearch
from fastsam2_ros.pruning.cues import CUES
from fastsam2_ros.streaming.loading import LoadedSam2
from fastsam2_ros.streaming.model import StreamingSam2
from fastsam2_ros.tracker import TextTracker

SIZE = (120, 160)


@pytest.fixture(scope="module")
def model(cuda):
    return small_sam2().to(cuda)


@pytest.mark.parametrize("precision", [torch.float32, torch.bfloat16, torch.float16], ids=str)
def test_text_box_and_mask_are_tracked(cuda, model, precision):
    config = TrackerConfig(
        pruning=PruningConfig(**{f"{name}_weight": 0.5 for name in CUES}),
        language=LanguageConfig(name="mini", image_size=128, min_margin=-2.0),
    )
    sam = LoadedSam2(StreamingSam2(model, precision), untrained=True)
    tracker = TextTracker(sam, TextSearch(config.language, cuda), config)
    tracker.set_target("red mug")
    tracker.set_box((30, 20, 60, 50))
    tracker.set_mask(np.pad(np.ones((40, 50), bool), ((20, 60), (70, 40))), "spoon")
    results = [
        tracker.step(frame, index * 100_000_000, view_tokens=True) for index, frame in enumerate(noise_video(3, SIZE))
    ]
    assert [len(result.objects) for result in results] == [3, 3, 3]
    assert results[-1].tokens is not None
    assert all(each.mask.shape == SIZE for each in results[-1].objects)
    assert devices(tracker.targets) == {"cuda"}
