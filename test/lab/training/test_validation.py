"""What a training of SAM 2 reports as it goes."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from fastsam2_ros.config import LanguageConfig, ModelConfig, PruningConfig, TrackerConfig
from fastsam2_ros.lab.evaluation.metrics import contour_accuracy, region_similarity
from fastsam2_ros.lab.synthetic.world import LEVELS, generate
from fastsam2_ros.lab.training import sam2
from fastsam2_ros.lab.training.sam2 import Sam2Task
from fastsam2_ros.language.search import NONE
from fastsam2_ros.streaming.loading import load_sam2
from fastsam2_ros.tracker import TextTracker

DENSE = TrackerConfig(
    model=ModelConfig(name="mini", device="cpu", precision="fp32"),
    pruning=PruningConfig(keep_ratio=1.0),
    language=LanguageConfig(name=NONE),
)


@pytest.fixture(scope="module")
def task():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sam2, "VALIDATION_FRAMES", 4)
        yield Sam2Task(torch.device("cpu"), validation_clips=1)


@pytest.fixture(scope="module")
def figures(task):
    return task.validate(load_sam2(DENSE.model).streaming.model)


def test_untrained_weights_score_less(task, figures):
    assert figures["J&F level 1"] > 0.8
    assert task.validate(task.model)["J&F"] < 0.5 * figures["J&F"]


def test_scores_are_those_of_the_tracker_in_use(figures):
    by_level = []
    for level in LEVELS:
        world = generate(sam2.VALIDATION_SEED, level, 4, stride=sam2.VALIDATION_STRIDE)
        truths = world.ids == world.target
        tracker = TextTracker.from_config(DENSE)
        tracker.set_mask(truths[0])
        masks = [
            tracker.step(frame, 1 + int(stamp)).labels() > 0
            for frame, stamp in zip(world.frames, world.stamps_ns, strict=True)
        ]
        pairs = list(zip(truths, masks, strict=True))[1:]
        by_level.append([(region_similarity(*pair), contour_accuracy(*pair)) for pair in pairs])
    scores = np.array(by_level)  # (levels, frames, 2)
    assert figures["J"] == pytest.approx(scores[..., 0].mean(), abs=1e-3)
    assert figures["J&F"] == pytest.approx(scores.mean(), abs=1e-3)
    for level, mean in zip(LEVELS, scores.mean((1, 2)), strict=True):
        assert figures[f"J&F level {level}"] == pytest.approx(mean, abs=1e-3)
