"""`fastsam2 equality`: with every token kept, streaming gives upstream's masks. Prints by how much they differ."""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Sequence
from itertools import islice
from pathlib import Path

import numpy as np
import torch.nn.functional as F
from PIL import Image
from rich.console import Console
from rich.progress import track
from rich.table import Table
from sam2.sam2_video_predictor import SAM2VideoPredictor
from torch import Tensor

from fastsam2_ros.bags.frames import open_frames
from fastsam2_ros.config import UNTRAINED, ModelConfig
from fastsam2_ros.errors import FastSam2Error, InputError
from fastsam2_ros.lab.evaluation.upstream import load_predictor
from fastsam2_ros.streaming.memory import TargetMemory
from fastsam2_ros.streaming.model import StreamingSam2
from fastsam2_ros.streaming.prompts import Prompt
from fastsam2_ros.streaming.values import Decoded, FrameFeatures

EXAMPLE = "fastsam2 equality bedroom.mp4 --model tiny --frames 20"

Start = tuple[int, Prompt]
"""The frame at which a target is started, and its prompt."""
Logits = dict[tuple[int, int], Tensor]
"""Mask logits at the frame's size, (H, W), by frame and target."""
LIMITS = {1: 1e-5, 3: 1e-4}
"""Largest difference of logits allowed, by number of targets: a batch adds up in another order."""
LATE_FRAME = 8


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The command's arguments."""
    parser.add_argument("source", type=Path, help="video, bag or image folder")
    parser.add_argument("--frames", type=int, default=20, help="frames to compare (default: %(default)s)")
    parser.add_argument("--model", default="tiny", help="SAM 2 model (default: %(default)s)")
    parser.add_argument("--checkpoint", default=UNTRAINED, help="weights; default: random ones, every part awake")


def run(arguments: argparse.Namespace) -> None:
    """Compare on one target, and on three of which one is added later, in fp32 on the CPU."""
    predictor = load_predictor(ModelConfig(name=arguments.model, checkpoint=arguments.checkpoint, device="cpu"))
    frames = [frame.rgb for frame in islice(open_frames(arguments.source), arguments.frames)]
    if len(frames) <= LATE_FRAME:
        raise InputError(f"{arguments.source} has {len(frames)} frames; at least {LATE_FRAME + 1} are needed.")
    table = Table("targets", "frames", "largest difference of logits", "standard deviation of logits", "allowed")
    worst = 0.0
    for count, limit in LIMITS.items():
        starts = _starts(count, frames[0].shape[:2])
        reference = upstream_logits(predictor, frames, starts)
        ours = streaming_logits(StreamingSam2(predictor, upstream_encoder=True), frames, starts)
        difference = largest_difference(reference, ours)
        spread = float(np.mean([float(logits.std()) for logits in reference.values()]))
        table.add_row(str(count), str(len(frames)), f"{difference:.2e}", f"{spread:.2e}", f"{limit:.0e}")
        worst = max(worst, difference / limit)
    Console().print(table)
    if worst > 1:
        raise FastSam2Error("The masks differ from upstream's by more than rounding.")


def _starts(count: int, size: tuple[int, int]) -> list[Start]:
    """Boxes side by side; of several the last is added late."""
    height, width = size
    boxes = [(width * (0.1 + 0.3 * n), height * 0.25, width * 0.22, height * 0.5) for n in range(count)]
    return [(LATE_FRAME if n and n == count - 1 else 0, Prompt.from_box(box)) for n, box in enumerate(boxes)]


def largest_difference(reference: Logits, ours: Logits) -> float:
    """Largest absolute difference over all frames and targets.

    Raises:
        FastSam2Error: not the same frames and targets.
    """
    if reference.keys() != ours.keys():
        raise FastSam2Error("Frames and targets of the two runs are not the same.")
    return max(float((ours[key] - reference[key]).abs().max()) for key in reference)


def upstream_logits(predictor: SAM2VideoPredictor, frames: Sequence[np.ndarray], starts: Sequence[Start]) -> Logits:
    """Upstream's masks over a video. frames: uint8 (H, W, 3), RGB."""
    logits: Logits = {}
    with tempfile.TemporaryDirectory() as folder:
        for number, frame in enumerate(frames):
            # Lossless, though upstream wants the name: it opens files by content.
            Image.fromarray(frame).save(Path(folder) / f"{number:05d}.jpg", format="PNG", compress_level=1)
        state = predictor.init_state(folder)
    late = sorted({start for start, _ in starts})
    for begin, end in zip(late, [*late[1:], len(frames)], strict=True):
        for target, (start, prompt) in enumerate(starts):
            if start != begin:
                continue
            if prompt.mask is not None:
                predictor.add_new_mask(state, start, target, prompt.mask)
            else:
                predictor.add_new_points_or_box(state, start, target, box=prompt.points.reshape(-1))
        for frame, targets, masks in predictor.propagate_in_video(state, begin, end - begin - 1):
            logits.update({(frame, target): masks[row, 0] for row, target in enumerate(targets)})
    return logits


def streaming_logits(sam: StreamingSam2, frames: Sequence[np.ndarray], starts: Sequence[Start]) -> Logits:
    """The same from one frame at a time, all targets in one batch."""
    logits: Logits = {}
    memories: dict[int, TargetMemory] = {}
    for index, frame in enumerate(track(frames, "streaming", transient=True)):
        features = sam.encode(frame)
        if memories:
            held = list(memories.values())
            decoded = sam.decode(features, sam.condition(features, held, index, [None] * len(held)))
            sam.remember(features, decoded, held, index)
            masks = _at_size(decoded, features)
            logits.update({(index, target): mask for target, mask in zip(memories, masks, strict=True)})
        for target, (start, prompt) in enumerate(starts):
            if start == index:
                decoded = sam.decode_prompt(features, prompt)
                memories[target] = sam.new_memory()
                sam.remember_prompt(features, decoded, memories[target], index)
                logits[index, target] = _at_size(decoded, features)[0]
    return logits


def _at_size(decoded: Decoded, features: FrameFeatures) -> Tensor:
    """Mask logits at the frame's size: float32 (targets, H, W)."""
    return F.interpolate(decoded.low_res, size=features.size, mode="bilinear", align_corners=False)[:, 0]
