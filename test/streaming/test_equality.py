"""With every token kept, results are upstream's."""

from __future__ import annotations

import subprocess
import sys

import av
import numpy as np
import pytest
import torch
from conftest import ROOT, small_sam2
from PIL import Image

from fastsam2_ros.streaming.model import StreamingSam2
from fastsam2_ros.streaming.prompts import Prompt

FRAMES = 20


@pytest.fixture(scope="module")
def bedroom(shared, tmp_path_factory):
    """A folder of the first frames of a real clip, as upstream's predictor reads it."""
    folder = tmp_path_factory.mktemp("bedroom")
    with av.open(shared / "video" / "bedroom.mp4") as video:
        for number, frame in zip(range(FRAMES), video.decode(video=0), strict=False):
            Image.fromarray(frame.to_ndarray(format="rgb24")).save(folder / f"{number:05d}.jpg", quality=95)
    return folder


def upstream_logits(predictor, folder, prompts):
    """Video-size logits by (frame, target): each target's from the frame on at which it gets its prompt."""
    logits = {}
    for target, (start, prompt) in enumerate(prompts):
        # One state per target: upstream's batch is a loop over targets, and this leaves each its own start.
        state = predictor.init_state(str(folder))
        if prompt.mask is not None:
            predictor.add_new_mask(state, start, 1, prompt.mask)
        else:
            corners = prompt.points.reshape(-1)
            predictor.add_new_points_or_box(state, start, 1, box=corners)
        for frame, _, masks in predictor.propagate_in_video(state, start_frame_idx=start):
            logits[frame, target] = masks[0, 0]
    return logits


def streaming_logits(sam, folder, prompts):
    """The same from one frame at a time, all targets in one batch."""
    logits, memories = {}, {}
    for index, path in enumerate(sorted(folder.iterdir())):
        features = sam.encode(np.array(Image.open(path).convert("RGB")))
        if memories:
            held = list(memories.values())
            decoded = sam.decode(features, sam.condition(features, held, index, [None] * len(held)))
            sam.remember(features, decoded, held, index)
            for target, masks in zip(memories, decoded.at_size(features.size), strict=True):
                logits[index, target] = masks
        for target, (start, prompt) in enumerate(prompts):
            if start == index:
                decoded = sam.decode_prompt(features, prompt)
                memories[target] = sam.new_memory()
                sam.remember_prompt(features, decoded, memories[target], index)
                logits[index, target] = decoded.at_size(features.size)[0]
    return logits


def largest_difference(predictor, folder, prompts):
    reference = upstream_logits(predictor, folder, prompts)
    ours = streaming_logits(StreamingSam2(predictor), folder, prompts)
    assert ours.keys() == reference.keys()
    spread = max(float(logits.std()) for logits in reference.values())
    assert spread > 0.01, "the reference says nothing"
    return max(float((ours[key] - reference[key]).abs().max()) for key in reference)


@pytest.fixture(scope="module")
def predictor():
    return small_sam2("sam2.sam2_video_predictor.SAM2VideoPredictor")


def test_one_target_over_twenty_frames(predictor, bedroom):
    assert largest_difference(predictor, bedroom, [(0, Prompt.from_box((300, 100, 250, 200)))]) <= 1e-5


def test_mask_prompt(predictor, bedroom):
    mask = np.zeros((540, 960), bool)
    mask[100:300, 300:550] = True
    assert largest_difference(predictor, bedroom, [(0, Prompt.from_mask(mask))]) <= 1e-5


def test_three_targets_one_of_them_added_at_frame_eight(predictor, bedroom):
    prompts = [
        (0, Prompt.from_box((300, 100, 250, 200))),
        (0, Prompt.from_box((20, 50, 200, 400))),
        (8, Prompt.from_box((500, 300, 300, 150))),
    ]
    assert largest_difference(predictor, bedroom, prompts) <= 1e-4


def test_the_check_can_fail(predictor, bedroom):
    """Without the last object pointer the logits differ by far more than the tolerance."""
    sam = StreamingSam2(predictor)
    prompts = [(0, Prompt.from_box((300, 100, 250, 200)))]
    reference = upstream_logits(predictor, bedroom, prompts)
    new_memory = sam.new_memory
    sam.new_memory = lambda: _forgetful(new_memory())
    ours = streaming_logits(sam, bedroom, prompts)
    assert max(float((ours[key] - reference[key]).abs().max()) for key in reference) > 1e-4


def _forgetful(memory):
    memory.pointers = lambda index: type(memory).pointers(memory, index)[:-1] or type(memory).pointers(memory, index)
    return memory
