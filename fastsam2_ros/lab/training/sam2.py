"""Training of the mini SAM 2: from single frames to clips, from coarse to full size. No pruning of any kind."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial

import numpy as np
import torch
from sam2.modeling.sam2_base import SAM2Base
from torch import Tensor, nn

from fastsam2_ros.lab.evaluation.metrics import contour_accuracy, region_similarity
from fastsam2_ros.lab.synthetic.world import HELD_OUT_SEED, LEVELS, generate
from fastsam2_ros.lab.training.clips import ClipBatch, ClipShape, clip_stream
from fastsam2_ros.lab.training.loop import Phase, precision
from fastsam2_ros.lab.training.unroll import Plan, set_side, unroll
from fastsam2_ros.streaming import loading
from fastsam2_ros.streaming.model import StreamingSam2
from fastsam2_ros.streaming.prompts import Prompt

VALIDATION_SEED = 2 * HELD_OUT_SEED
"""Neither trained on, nor among the sequences that evaluations report."""
VALIDATION_FRAMES = 12
VALIDATION_STRIDE = 3
FAST_PAIRS, LOCALITY, AFFINITY, QUIET = 3, 3.0, 3.0, 0.25
"""Of the start values: rotary pairs in each half that carry the bias, the bias, the factor on attention weights, and the one
on what would drown positions."""
LOUDNESS, LOUD_WEIGHT = 0.5, 0.1
"""Mean square of the image's features from which on they are held down; that of the prompts' positions is 0.5 too."""


@dataclass(frozen=True)
class Stage:
    """A part of the schedule: the share of the training by which it ends, its batches in turn, and how many of those with
    several frames start from a mask.
    """

    until: float
    shapes: tuple[ClipShape, ...]
    masks: float


# All weights serve every image size, and a frame of 128 px costs a sixteenth of one of 512: what prompts and memory are for
# is learned there, in many small steps. Prompts of all kinds from the first step: where masks alone came first, the image's
# features grew so large that points and boxes went unheard from then on. Later stages go through single frames in between:
# in clips a prompt is one frame of many, and masks from points and boxes, on which finding by a text stands, came out ragged.
# Trials teach which thing is watched: in ordinary clips few targets go and come back.
_CPU = (
    Stage(0.14, (ClipShape(side=128, frames=2, clips=4, targets=5, zoom=1.5),), masks=0.4),
    Stage(0.35, (ClipShape(side=256, frames=3, clips=2, targets=4, zoom=2.0),), masks=0.6),
    Stage(
        0.75,
        (
            ClipShape(side=256, frames=8, clips=2, targets=3, zoom=2.0),
            ClipShape(side=256, frames=1, clips=8, targets=5, zoom=2.0),
            ClipShape(side=256, frames=8, clips=2, targets=3, zoom=1.3, trials=True),
            ClipShape(side=256, frames=1, clips=8, targets=5, zoom=2.0),
        ),
        masks=0.6,
    ),
    Stage(
        1.0,
        (
            ClipShape(side=512, frames=6, clips=1, targets=3),
            ClipShape(side=512, frames=1, clips=2, targets=5),
            ClipShape(side=512, frames=8, clips=1, targets=2, trials=True),
        ),
        masks=0.6,
    ),
)
_GPU = (
    Stage(0.1, (ClipShape(side=128, frames=2, clips=48, targets=4, zoom=1.5),), masks=0.6),
    Stage(
        0.5,
        (
            ClipShape(side=256, frames=6, clips=16, targets=3, zoom=2.0),
            ClipShape(side=256, frames=1, clips=64, targets=5, zoom=2.0),
            ClipShape(side=256, frames=8, clips=16, targets=3, zoom=1.3, trials=True),
        ),
        masks=0.5,
    ),
    Stage(
        1.0,
        (
            ClipShape(side=512, frames=8, clips=8, targets=3),
            ClipShape(side=512, frames=1, clips=24, targets=5),
            ClipShape(side=512, frames=8, clips=8, targets=2, trials=True),
        ),
        masks=0.5,
    ),
)


class Sam2Task:
    """See `loop.Task`.

    Args:
        device: where it will train; a CPU gets a smaller schedule.
        seed: of weights, clips and prompts.
        validation_clips: held-out clips for each level.
        stages: of the schedule; None: what suits the device.
    """

    name = "mini"

    def __init__(
        self,
        device: torch.device,
        seed: int = 0,
        validation_clips: int = 2,
        stages: tuple[Stage, ...] | None = None,
    ) -> None:
        self.seed, self.validation_clips = seed, validation_clips
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            self.model: SAM2Base = loading.build(loading.find_config("mini"))
        _wake(self.model)
        self.side = self.model.image_size
        self.metadata: dict[str, str] = {}
        self._precision = precision(device)
        self._stages = stages or (_GPU if device.type == "cuda" else _CPU)
        self.phases = tuple(
            Phase(
                stage.until,
                f"{stage.shapes[0].frames} x {stage.shapes[0].side} px",
                partial(self._batches, stage.shapes),
            )
            for stage in self._stages
        )

    def loss(self, batch: ClipBatch, number: int, progress: float) -> tuple[Tensor, dict[str, float]]:
        """See `loop.Task`."""
        model = self.model
        device = model.device
        generator = torch.Generator().manual_seed((self.seed << 32) + number)
        set_side(model, batch.frames.shape[2])
        # At first SAM 2 is told who is visible; then less and less, as it will be left to itself.
        told = max(0.0, 1 - 2 * progress)
        stage = next((each for each in self._stages if progress < each.until), self._stages[-1])
        plan = Plan.draw(batch.frames.shape[1], stage.masks, told, generator)
        with torch.autocast(device.type, self._precision, enabled=self._precision != torch.float32):
            unrolled = unroll(model, batch.to(device), plan, generator)
        # Nothing in SAM 2 keeps the image's features small, and beside large ones nobody hears where a prompt is.
        loud = (unrolled.loudness / LOUDNESS - 1).clamp(min=0)
        given, tracked = unrolled.iou[:, 0].mean(), unrolled.iou[:, 1:].mean()
        terms = {**unrolled.losses.as_floats(), "loudness": float(unrolled.loudness.detach())}
        if len(plan.times) > 1:
            terms["IoU tracked"] = float(tracked)
        if plan.kind != "mask":
            terms[f"IoU {plan.kind}"] = float(given)
        return unrolled.losses.total() + LOUD_WEIGHT * loud, terms

    @torch.no_grad()
    def validate(self, model: nn.Module) -> dict[str, float]:
        """Mean J&F of the target after its first mask, streamed as in use, for each level and over all; J over all as well."""
        assert isinstance(model, SAM2Base)
        set_side(model, self.side)
        streaming = StreamingSam2(model)
        seeds = range(VALIDATION_SEED, VALIDATION_SEED + self.validation_clips)
        # (levels, clips, 2)
        scores = np.array([[_clip_scores(streaming, seed, level) for seed in seeds] for level in LEVELS])
        by_level = scores.mean((1, 2))
        return {
            "J&F": float(by_level.mean()),
            "J": float(scores[..., 0].mean()),
            **{f"J&F level {level}": float(mean) for level, mean in zip(LEVELS, by_level, strict=True)},
        }

    def _batches(self, shapes: tuple[ClipShape, ...], first: int, workers: int) -> Iterator[ClipBatch]:
        return clip_stream(self.seed, first, shapes, workers, self.model.device)


def _clip_scores(streaming: StreamingSam2, seed: int, level: int) -> tuple[float, float]:
    """J and F."""
    world = generate(seed, level, VALIDATION_FRAMES, stride=VALIDATION_STRIDE)
    memory, scores = streaming.new_memory(), []
    for index, frame in enumerate(world.frames):
        truth = world.ids[index] == world.target
        features = streaming.encode(frame)
        if index == 0:
            decoded = streaming.decode_prompt(features, Prompt.from_mask(truth))
            streaming.remember_prompt(features, decoded, memory, index)
            continue
        decoded = streaming.decode(features, streaming.condition(features, [memory], index, [None]))
        streaming.remember(features, decoded, [memory], index)
        mask = decoded.at_size(truth.shape)[0].cpu().numpy() > 0
        scores.append((region_similarity(truth, mask), contour_accuracy(truth, mask)))
    j, f = np.mean(scores, axis=0)
    return float(j), float(f)


@torch.no_grad()
def _wake(model: SAM2Base) -> None:
    """Start values for a training that is short: what long ones find by themselves is given from the first step."""
    # The fuser's layers would be added with a factor of 1e-6.
    for block in model.memory_encoder.fuser.layers:
        nn.init.constant_(block.gamma, 0.1)
    # Absent is the exception.
    nn.init.constant_(model.sam_mask_decoder.pred_obj_score_head.layers[-1].bias, 1.0)
    # A frame's token looks at the same place in memory: equal biases under rotary encoding make a kernel that falls with
    # distance, if they are on its fast pairs. These come first in each half, one half for x and one for y.
    for layer in model.memory_attention.layers:
        attention = layer.cross_attn_image
        for projection in (attention.q_proj, attention.k_proj):
            halves = projection.bias.zero_().unflatten(0, (2, -1))
            halves[:, : 2 * FAST_PAIRS] = LOCALITY
    # Positions are to be heard beside contents.
    for kind in model.sam_prompt_encoder.point_embeddings:
        kind.weight.mul_(QUIET)
    for convolution in model.image_encoder.neck.convs[:2]:
        for tensor in convolution.conv.parameters():
            tensor.mul_(QUIET)
    # Prompts and pixels whose position encodings agree attend to one another: with the same projection on both sides
    # the product of queries and keys keeps the encodings' own.
    for block in model.sam_mask_decoder.transformer.layers:
        for attention in (block.cross_attn_token_to_image, block.cross_attn_image_to_token):
            attention.q_proj.weight.mul_(AFFINITY)
            attention.k_proj.weight.copy_(attention.q_proj.weight)
