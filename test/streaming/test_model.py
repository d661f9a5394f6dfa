"""Streaming at lower precision, on subsets, and with targets of unlike memories in one batch."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from small_models import small_sam2

from fastsam2_ros.errors import ModelError
from fastsam2_ros.lab.evaluation.upstream import noise_video
from fastsam2_ros.streaming.model import StreamingSam2
from fastsam2_ros.streaming.prompts import Prompt
from fastsam2_ros.streaming.shares import TokenShares, best_first
from fastsam2_ros.streaming.values import masks_at

BOXES = ((30.0, 20.0, 60.0, 50.0), (90.0, 60.0, 40.0, 40.0))


@pytest.fixture(scope="module")
def video():
    return noise_video(6, (120, 160))


@pytest.fixture(scope="module")
def sam(device):
    return StreamingSam2(small_sam2().to(device))


def run(sam, video, starts, keep=None):
    """Mask logits of the last frame, by target; target n is started at frame starts[n]."""
    memories, logits, before = {}, {}, {}
    for index, frame in enumerate(video):
        features = sam.encode(frame)
        if memories:
            held = list(memories.values())
            tokens = [
                torch.arange(keep, device=sam.device) if keep and target in before else None for target in memories
            ]
            conditioned = sam.condition(features, held, index, tokens, [before.get(target) for target in memories])
            before = dict(zip(memories, conditioned, strict=True))
            decoded = sam.decode(features, conditioned)
            sam.remember(features, decoded, held, index)
            logits = dict(zip(memories, decoded.low_res[:, 0], strict=True))
        for target, start in enumerate(starts):
            if start == index:
                decoded = sam.decode_prompt(features, Prompt.from_box(BOXES[target]))
                memories[target] = sam.new_memory()
                sam.remember_prompt(features, decoded, memories[target], index)
    return logits


def test_bf16_gives_nearly_the_masks_of_fp32(sam, video):
    exact = run(sam, video, [0])[0]
    rounded = run(StreamingSam2(sam.model, torch.bfloat16), video, [0])[0]
    assert not torch.equal(exact, rounded)
    assert (exact - rounded).abs().mean() < 0.1 * exact.std() + 0.02


@pytest.mark.parametrize("starts", [[0, 0], [0, 3]], ids=["together", "one later"])
@pytest.mark.parametrize("keep", [None, 100])
def test_targets_in_one_batch_do_not_touch_each_other(sam, video, starts, keep):
    both = run(sam, video, starts, keep)
    for target, start in enumerate(starts):
        alone = [start if n == target else -1 for n in range(2)]
        assert (both[target] - run(sam, video, alone, keep)[target]).abs().max() <= 1e-4


def test_what_is_left_out_keeps_the_last_frames_feature(sam, video):
    features = sam.encode(video[0])
    memory = sam.new_memory()
    sam.remember_prompt(features, sam.decode_prompt(features, Prompt.from_box(BOXES[0])), memory, 0)
    before = sam.condition(features, [memory], 1, [None])[0]
    kept = torch.tensor([3, 50, 200], device=sam.device)
    after = sam.condition(sam.encode(video[1]), [memory], 1, [kept], [before])[0]
    left_out = torch.ones(sam.token_count, dtype=torch.bool, device=sam.device)
    left_out[kept] = False
    assert torch.equal(after[left_out], before[left_out])
    assert (after[kept] - before[kept]).abs().min(dim=1).values.max() > 0


def test_what_is_left_out_needs_a_last_frame(sam, video):
    features = sam.encode(video[0])
    memory = sam.new_memory()
    sam.remember_prompt(features, sam.decode_prompt(features, Prompt.from_box(BOXES[0])), memory, 0)
    with pytest.raises(ValueError, match="before"):
        sam.condition(features, [memory], 1, [torch.tensor([3])])


@pytest.mark.parametrize("size", [(96, 128), (480, 640), (2000, 30)])
@pytest.mark.parametrize("place", [(0, 0), (0.99, 0.99), (0.4, 0.7)])
def test_a_mask_of_one_pixel_is_a_mask(sam, size, place):
    mask = np.zeros(size, bool)
    row, column = int(place[0] * size[0]), int(place[1] * size[1])
    mask[row, column] = True
    decoded = sam.decode_prompt(sam.encode(np.zeros((*size, 3), np.uint8)), Prompt.from_mask(mask))
    (found,) = masks_at(decoded.low_res, size)
    assert found.any()
    rows, columns = np.nonzero(found)
    assert abs(rows.mean() - row) <= size[0] / 32
    assert abs(columns.mean() - column) <= size[1] / 32


def test_logits_that_are_not_finite_take_no_pixel(sam):
    logits = torch.full((2, 1, 8, 8), 5.0, device=sam.device)
    logits[0] = torch.nan
    assert [int(mask.sum()) for mask in masks_at(logits, (16, 16))] == [0, 256]


def test_fewer_memory_frames_are_the_newest_with_the_same_encodings(sam, video, monkeypatch):
    """Three: the prompt and the last two. As if all seven were there and the older ones were passed over."""
    short = StreamingSam2(sam.model, memory_frames=3)
    ours = run(short, video, [0])[0]
    new_memory = sam.new_memory

    def forgetful():
        memory = new_memory()
        whole = memory.frames
        monkeypatch.setattr(memory, "frames", lambda index: [each for each in whole(index) if each[1] <= 2])
        return memory

    whole = run(sam, video, [0])[0]
    monkeypatch.setattr(sam, "new_memory", forgetful)
    assert torch.equal(ours, run(sam, video, [0])[0])
    assert not torch.equal(ours, whole)


def test_fewer_memory_frames_cost_less(sam, video):
    features = sam.encode(video[0])
    decoded = sam.decode_prompt(features, Prompt.from_box(BOXES[0]))
    flops = []
    for streaming in (StreamingSam2(sam.model, memory_frames=3), sam):
        memory = streaming.new_memory()
        streaming.remember_prompt(features, decoded, memory, 0)
        for index in range(1, 8):
            streaming.remember(features, decoded, [memory], index)
        (counts,) = streaming.attention_counts([memory], 8, [None])
        assert counts.keys == streaming.memory_frames * 256
        flops.append(streaming.attention_size.flops(counts))
    assert flops[0] < flops[1]


def test_memory_keeps_the_best_tokens_and_spreads_the_rest(sam, video):
    features = sam.encode(video[0])
    decoded, memory = sam.decode_prompt(features, Prompt.from_box(BOXES[0])), sam.new_memory()
    scores = torch.zeros(1, 256, device=sam.device)
    scores[0, 200] = 1
    sam.remember_prompt(features, decoded, memory, 0, TokenShares(0.125, 0.125, 0.125), scores)
    assert 200 in memory.prompts[0].tokens
    assert torch.equal(memory.prompts[0].tokens, best_first(scores[0])[:32].sort().values)
    assert len(set((memory.prompts[0].tokens // 16).tolist())) == 16  # in every row of the grid


@pytest.mark.parametrize("frames", [1, 8])
def test_memory_frames_that_the_model_does_not_know(sam, frames):
    with pytest.raises(ModelError, match="2 to 7"):
        StreamingSam2(sam.model, memory_frames=frames)


def test_segmenting_many_prompts_equals_one_by_one(sam, video):
    features = sam.encode(video[0])
    points = torch.tensor([[[40.0, 40.0]], [[100.0, 80.0]], [[10.0, 100.0]]])
    labels = torch.ones(3, 1, dtype=torch.int32)
    masks, ious = sam.segment(features, points, labels, features.size)
    assert masks.shape == (3, 3, 64, 64)
    for row in range(3):
        mask, iou = sam.segment(features, points[row : row + 1], labels[row : row + 1], features.size)
        assert (masks[row] - mask[0]).abs().max() <= 1e-4
        assert (ious[row] - iou[0]).abs().max() <= 1e-5
