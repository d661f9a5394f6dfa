"""On a GPU every tensor of `pruning/` is there: what chooses tokens, and the plug-in."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from PIL import Image
from pretended_cuda import devices
from small_models import small_sam2

from fastsam2_ros import prune, unprune
from fastsam2_ros.config import LanguageConfig, PruningConfig
from fastsam2_ros.lab.evaluation.upstream import PREDICTOR, noise_video
from fastsam2_ros.pruning import cues
from fastsam2_ros.pruning.router import Router, WeightedSum, best_tokens
from fastsam2_ros.pruning.view import target_tokens

GRID = (8, 8)
WIDTH = 16
CAMERA = np.array([[1.0, 0.0, 0.1], [0.0, 1.0, 0.05]])
ALL_CUES = PruningConfig(**{f"{name}_weight": 0.5 for name in cues.CUES})


@pytest.fixture(scope="module")
def predictor(cuda):
    return small_sam2(PREDICTOR).to(cuda)


@pytest.fixture
def video(tmp_path):
    for index, frame in enumerate(noise_video(5, (96, 128))):
        Image.fromarray(frame).save(tmp_path / f"{index:05d}.jpg")
    return str(tmp_path)


@torch.inference_mode()
def test_choosing_tokens(cuda):
    router = Router(WeightedSum(ALL_CUES))
    tokens, masks = torch.randn(64, WIDTH).to(cuda), torch.randn(2, 1, 32, 32).to(cuda)
    prototypes = cues.prototype(tokens, masks, GRID)
    frame = router.frame_cues(tokens, GRID, prototypes, torch.rand(2, 64).to(cuda))
    maps = router.cue_maps(frame, masks, torch.tensor([0.9, 0.3], device=cuda), CAMERA, (0.1, 0.0))
    scores = router.scorer(maps)
    kept = [best_tokens(row, 0.3) for row in scores]
    assert devices([prototypes, frame, maps, scores, kept]) == {"cuda"}
    contributions = router.contributions(maps)
    assert devices(contributions) == {"cuda"}
    assert [view.kept.sum() for view in target_tokens([1, 2], kept, contributions, GRID)] == [19, 19]


@pytest.mark.parametrize("text", [None, "red mug"])
def test_the_plug_in(cuda, predictor, video, text):
    prune(predictor, text, language=LanguageConfig(name="mini"))
    try:
        state = predictor.init_state(video)
        predictor.add_new_points_or_box(state, 0, 1, box=[20, 20, 70, 80])
        results = list(predictor.propagate_in_video(state))
    finally:
        unprune(predictor)
    assert len(results) == 5
    assert devices([results, state]) == {"cuda"}
