"""On a GPU every tensor of `streaming/` is there, in every precision."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from pretended_cuda import devices
from small_models import small_sam2

from fastsam2_ros.lab.evaluation.upstream import noise_video
from fastsam2_ros.streaming.model import StreamingSam2
from fastsam2_ros.streaming.prompts import Prompt
from fastsam2_ros.streaming.shares import TokenShares, best_first

SIZE = (120, 160)
BOX = Prompt.from_box((30.0, 20.0, 60.0, 50.0))
MASK = Prompt.from_mask(np.pad(np.ones((40, 50), bool), ((20, 60), (70, 40))))
POINTS = Prompt(np.array([[50, 40], [5, 5]], np.float32), np.array([1, 0], np.int32))
CAMERA = np.array([[1.0, 0.0, 0.1], [0.0, 1.0, 0.05]])
PRECISIONS = {torch.float32: 0.0, torch.bfloat16: 2.0**-6, torch.float16: 2.0**-8}
"""And how far masks may be from those of fp32, as a share of their spread, for each operation's rounding."""


@pytest.fixture(scope="module")
def frames():
    return noise_video(3, SIZE)


@pytest.fixture(scope="module")
def model(cuda):
    return small_sam2().to(cuda)


@pytest.fixture(scope="module", params=PRECISIONS, ids=str)
def sam(request, model):
    return StreamingSam2(model, request.param)


@pytest.fixture(scope="module")
def features(sam, frames):
    return sam.encode(frames[0])


@pytest.fixture(scope="module")
def second(sam, frames):
    """Of the second frame."""
    return sam.encode(frames[1])


@pytest.fixture
def memories(sam, features):
    made = [sam.new_memory() for _ in range(2)]
    for memory, prompt in zip(made, (BOX, MASK), strict=True):
        sam.remember_prompt(features, sam.decode_prompt(features, prompt), memory, 0)
    return made


def test_what_is_mixed_is_refused(cuda):
    """That is: the tests below can fail."""
    with pytest.raises(RuntimeError, match="device"):
        torch.zeros(2, device=cuda) + torch.zeros(2)
    with pytest.raises(RuntimeError, match="device"):
        torch.zeros(4)[torch.zeros(2, dtype=torch.int64, device=cuda)]
    with pytest.raises(RuntimeError, match="numpy"):
        torch.zeros(2, device=cuda).numpy()


def test_the_model_and_its_tables(sam):
    assert devices(sam) == {"cuda"}


def test_a_frames_features(features):
    assert devices(features) == {"cuda"}


@pytest.mark.parametrize("prompt", [BOX, MASK, POINTS], ids=["box", "mask", "points"])
def test_a_prompts_mask(sam, features, prompt):
    assert devices(sam.decode_prompt(features, prompt)) == {"cuda"}


def test_masks_for_grounding(sam, features, cuda):
    points = torch.tensor([[[40.0, 40.0]], [[100.0, 80.0]]])
    labels = torch.ones(2, 1, dtype=torch.int32)
    assert devices(sam.segment(features, points, labels, SIZE)) == {"cuda"}
    assert devices(sam.segment(features, points.to(cuda), labels.to(cuda), SIZE)) == {"cuda"}


def test_tracking(sam, features, second, memories, cuda):
    """Dense, then on tokens of their own for each target."""
    before = sam.condition(features, memories, 1, [None, None])
    kept = [torch.arange(start, start + 40, device=cuda) for start in (3, 90)]
    conditioned = sam.condition(second, memories, 2, kept, list(before), CAMERA)
    decoded = sam.decode(second, conditioned)
    sam.remember(second, decoded, memories, 2)
    assert devices([before, conditioned, decoded, decoded.score, decoded.covered, memories]) == {"cuda"}


def test_memory_that_is_pruned(sam, features, cuda):
    """A prompt and three frames, so that some are retired; then it is attended to."""
    share = TokenShares.of(0.16, sam.memory_frames)
    scores = torch.rand(1, sam.token_count).to(cuda)
    decoded, memory = sam.decode_prompt(features, BOX), sam.new_memory()
    sam.remember_prompt(features, decoded, memory, 0, share, scores)
    for index in range(1, 4):
        sam.remember(features, decoded, [memory], index, [share], scores)
    before = list(sam.condition(features, [memory], 4, [None]))
    conditioned = sam.condition(features, [memory], 4, [best_first(scores[0])[:40].sort().values], before)
    assert devices([memory, conditioned]) == {"cuda"}


def test_masks_are_those_of_fp32_but_for_rounding(sam, model, frames):
    def track(streaming):
        features = streaming.encode(frames[0])
        memory = streaming.new_memory()
        streaming.remember_prompt(features, streaming.decode_prompt(features, BOX), memory, 0)
        features = streaming.encode(frames[1])
        return streaming.decode(features, streaming.condition(features, [memory], 1, [None])).low_res.cpu()

    exact = track(StreamingSam2(model))
    difference = float((track(sam) - exact).abs().mean() / exact.std())
    assert difference <= PRECISIONS[sam.precision]
    assert (difference > 0) == (sam.precision != torch.float32)
