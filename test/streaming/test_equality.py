"""With every token kept, results are upstream's."""

from __future__ import annotations

from itertools import islice

import numpy as np
import pytest
from small_models import small_sam2

from fastsam2_ros.bags.frames import open_frames
from fastsam2_ros.lab.evaluation.equality import largest_difference, streaming_logits, upstream_logits
from fastsam2_ros.lab.evaluation.upstream import PREDICTOR
from fastsam2_ros.streaming.model import StreamingSam2
from fastsam2_ros.streaming.prompts import Prompt

FRAMES = 20
FIRST = (0, Prompt.from_box((300, 100, 250, 200)))


@pytest.fixture(scope="module")
def bedroom(shared):
    return [frame.rgb for frame in islice(open_frames(shared / "video" / "bedroom.mp4"), FRAMES)]


@pytest.fixture(scope="module")
def predictor():
    return small_sam2(PREDICTOR)


@pytest.fixture(scope="module")
def one_target(predictor, bedroom):
    reference = upstream_logits(predictor, bedroom, [FIRST])
    assert min(float(logits.std()) for logits in reference.values()) > 0.01, "the reference says nothing"
    return reference


def test_one_target_over_twenty_frames(predictor, bedroom, one_target):
    ours = streaming_logits(StreamingSam2(predictor, upstream_encoder=True), bedroom, [FIRST])
    assert largest_difference(one_target, ours) <= 1e-5


def test_mask_prompt(predictor, bedroom):
    mask = np.zeros(bedroom[0].shape[:2], bool)
    mask[100:300, 300:550] = True
    starts = [(0, Prompt.from_mask(mask))]
    reference = upstream_logits(predictor, bedroom[:10], starts)
    assert (
        largest_difference(
            reference, streaming_logits(StreamingSam2(predictor, upstream_encoder=True), bedroom[:10], starts)
        )
        <= 1e-5
    )


def test_three_targets_one_of_them_added_at_frame_eight(predictor, bedroom):
    starts = [FIRST, (0, Prompt.from_box((20, 50, 200, 400))), (8, Prompt.from_box((500, 300, 300, 150)))]
    reference = upstream_logits(predictor, bedroom, starts)
    assert (
        largest_difference(
            reference, streaming_logits(StreamingSam2(predictor, upstream_encoder=True), bedroom, starts)
        )
        <= 1e-4
    )


def test_at_another_size(bedroom):
    predictor = small_sam2(PREDICTOR, image_size=288)
    reference = upstream_logits(predictor, bedroom[:10], [FIRST])
    ours = streaming_logits(StreamingSam2(predictor, upstream_encoder=True), bedroom[:10], [FIRST])
    assert largest_difference(reference, ours) <= 1e-5


@pytest.mark.parametrize("forgotten", ["frames", "pointers"])
def test_the_check_notices_what_is_forgotten(predictor, bedroom, one_target, forgotten, monkeypatch):
    """Without the two oldest memory frames, or the two oldest object pointers, logits differ by far more than is allowed."""
    sam = StreamingSam2(predictor, upstream_encoder=True)
    new_memory = sam.new_memory

    def forgetful():
        memory = new_memory()
        whole = getattr(memory, forgotten)
        monkeypatch.setattr(memory, forgotten, lambda index: whole(index)[:-2] or whole(index))
        return memory

    monkeypatch.setattr(sam, "new_memory", forgetful)
    ours = streaming_logits(sam, bedroom, [FIRST])
    assert largest_difference(one_target, ours) > 1e-4
