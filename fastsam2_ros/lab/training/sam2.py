"""Training of the mini SAM 2: from single frames to clips, from coarse to full size. No pruning of any kind."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import nullcontext
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from sam2.modeling.sam2_base import SAM2Base
from torch import Tensor, nn

from fastsam2_ros.lab.evaluation.metrics import contour_accuracy, region_similarity
from fastsam2_ros.lab.synthetic.world import HELD_OUT_SEED, LEVELS, generate
from fastsam2_ros.lab.training import imagenet
from fastsam2_ros.lab.training.clips import NO_FOOTAGE, ClipBatch, ClipShape, Footage, clip_batch, clip_stream
from fastsam2_ros.lab.training.loop import Phase, precision
from fastsam2_ros.lab.training.start import start
from fastsam2_ros.lab.training.stills import open_reels, open_stills
from fastsam2_ros.lab.training.unroll import Plan, full_precision, normalised, set_side, unroll
from fastsam2_ros.streaming import loading
from fastsam2_ros.streaming.model import StreamingSam2
from fastsam2_ros.streaming.prompts import Prompt
from fastsam2_ros.streaming.values import masks_at

VALIDATION_SEED = 2 * HELD_OUT_SEED
"""Neither trained on, nor among the sequences that evaluations report."""
VALIDATION_FRAMES = 12
VALIDATION_STRIDE = 3
LOUDNESS, LOUD_WEIGHT = 0.5, 0.1
"""Mean square of the image's features from which on they are held down; that of the prompts' positions is 0.5 too."""
STARTING_PICTURES, STARTING_SIDE = 96, 256
"""That start values are made of, and their side in pixels."""
REAL_CLIPS, REAL_FRAMES, REAL_STEP = 6, 6, 4
"""Of the validation on real footage: clips of photographs, their frames, and frames of a video from one used to the next."""
_CHANCE = 7
"""Of what is drawn for start values and validation."""


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
STAGES = (
    Stage(
        0.12,
        (
            ClipShape(side=192, frames=3, clips=2, targets=3, zoom=2.0),
            ClipShape(side=192, frames=1, clips=6, targets=4, zoom=2.0),
        ),
        masks=0.6,
    ),
    Stage(
        0.56,
        (
            ClipShape(side=256, frames=6, clips=2, targets=2, zoom=2.0),
            ClipShape(side=256, frames=1, clips=8, targets=4, zoom=2.0),
            ClipShape(side=256, frames=8, clips=1, targets=3, zoom=1.5, trials=True),
            ClipShape(side=256, frames=1, clips=8, targets=4, zoom=2.0),
        ),
        masks=0.7,
    ),
    Stage(
        0.82,
        (
            ClipShape(side=384, frames=7, clips=1, targets=2, zoom=1.4),
            ClipShape(side=384, frames=1, clips=4, targets=4, zoom=1.4),
            ClipShape(side=384, frames=8, clips=1, targets=2, zoom=1.2, trials=True),
            ClipShape(side=384, frames=1, clips=4, targets=4, zoom=1.4),
        ),
        masks=0.7,
    ),
    Stage(
        1.0,
        (
            ClipShape(side=512, frames=6, clips=1, targets=2),
            ClipShape(side=512, frames=1, clips=3, targets=4),
            ClipShape(side=512, frames=7, clips=1, targets=1, trials=True),
            ClipShape(side=384, frames=1, clips=5, targets=4, zoom=1.4),
        ),
        masks=0.7,
    ),
)

# A training from weights is for what the first one leaves weak: masks from points and boxes, of real things. There the trunk
# is let go. Its features are a classifier's; on the same batches, masks are better with it after a few hundred steps.
_SMALL = ClipShape(side=384, frames=1, clips=5, targets=6, zoom=1.4)
_FULL = ClipShape(side=512, frames=1, clips=3, targets=6)
_CLIP = ClipShape(side=384, frames=6, clips=1, targets=2, zoom=1.2)
_FULL_CLIP = ClipShape(side=512, frames=5, clips=1, targets=2)
_TRIAL = ClipShape(side=384, frames=7, clips=1, targets=2, zoom=1.2, trials=True)
FURTHER = (
    Stage(0.8, (_SMALL, _FULL, _CLIP, _SMALL, _FULL, _TRIAL), masks=0.7),
    Stage(1.0, (_FULL, _SMALL, _TRIAL, _FULL, _SMALL, _FULL_CLIP), masks=0.7),
)
TRUNK = "image_encoder.trunk."
TRUNK_RATE = 0.2
"""Share of the learning rate for a trunk that is let go."""


class Sam2Task:
    """See `loop.Task`.

    Args:
        device: where it will train.
        seed: of weights, clips and prompts.
        real: folder with `train` and `val` of real pictures (`stills`, `video`); None: all is of the generated world.
        donor: weights of an older mini, for what fits (`start.start`); None: none.
        validation_clips: held-out clips for each level.
        stages: of the schedule; None: `STAGES`, or `FURTHER`.
        goes_on: it will start from weights of this model (`loop.start_from`), and its trunk is let go.
    """

    name = "mini"

    def __init__(
        self,
        device: torch.device,
        seed: int = 0,
        real: Path | None = None,
        donor: Path | None = None,
        validation_clips: int = 1,
        stages: tuple[Stage, ...] | None = None,
        goes_on: bool = False,
    ) -> None:
        self.seed, self.validation_clips = seed, validation_clips
        self._footage = NO_FOOTAGE if real is None else Footage(open_stills(real / "train"), open_reels(real / "train"))
        self._held_out = NO_FOOTAGE if real is None else Footage(open_stills(real / "val"), open_reels(real / "val"))
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            self.model: SAM2Base = loading.build(loading.find_config("mini"))
            if not goes_on:
                start(self.model, imagenet.package_file(), *self._pictures(), donor)
        # At first the trunk stays as it is: it has seen far more than there is to see here, and what follows it knows nothing.
        self.model.image_encoder.trunk.requires_grad_(goes_on)
        self._goes_on = goes_on
        self.rates: Mapping[str, float] = {TRUNK: TRUNK_RATE}
        self.side = self.model.image_size
        self._precision = precision(device)
        self._stages = stages or (FURTHER if goes_on else STAGES)
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
        model, trunk = self.model, self.model.image_encoder.trunk
        device = model.device
        generator = torch.Generator().manual_seed((self.seed << 32) + number)
        set_side(model, batch.frames.shape[2])
        # From nothing SAM 2 is at first told who is visible; then less and less, as it will be left to itself.
        told = 0.0 if self._goes_on else max(0.0, 1 - 2 * progress)
        stage = next((each for each in self._stages if progress < each.until), self._stages[-1])
        plan = Plan.draw(batch.frames.shape[1], stage.masks, told, generator)
        autocast = torch.autocast(device.type, self._precision, enabled=self._precision != torch.float32)
        # A CPU takes two to three times as long for the gradients of convolutions per channel in bf16 as in fp32.
        slow_in_bf16 = self._goes_on and device.type == "cpu"
        with autocast, full_precision(trunk) if slow_in_bf16 else nullcontext():
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
        figures = {
            "J&F": float(by_level.mean()),
            "J": float(scores[..., 0].mean()),
            **{f"J&F level {level}": float(mean) for level, mean in zip(LEVELS, by_level, strict=True)},
        }
        for name, clips in self._real_clips():
            figures[f"J&F {name}"] = float(np.mean([_scores(streaming, frames, masks) for frames, masks in clips]))
        return figures

    def _real_clips(self) -> Iterator[tuple[str, list[tuple[npt.NDArray[np.uint8], npt.NDArray[np.bool_]]]]]:
        """Held-out clips by kind: frames and, for one target each, masks."""
        if not self._held_out.stills:
            return
        only = Footage(self._held_out.stills)
        shape = ClipShape(side=self.side, frames=REAL_FRAMES, clips=REAL_CLIPS, targets=1)
        batch = clip_batch(_CHANCE, 1, shape, footage=replace(only, generated=0.0))
        yield (
            "stills",
            [(batch.frames[i].numpy(), mask.numpy()) for i, mask in zip(batch.clip_of_row, batch.masks, strict=True)],
        )
        clips = []
        for reel in self._held_out.reels:
            read = [still.read() for still in reel.frames[::REAL_STEP]]
            frames, ids = (np.stack(each) for each in zip(*read, strict=True))
            clips += [(frames, ids == number) for number in np.unique(ids[0][ids[0] > 0])]
        if clips:
            yield "video", clips

    def _batches(self, shapes: tuple[ClipShape, ...], first: int, workers: int) -> Iterator[ClipBatch]:
        return clip_stream(self.seed, first, shapes, workers, self._footage)

    def _pictures(self) -> tuple[Tensor, Tensor]:
        """For `start.start`: frames as the encoder takes them, and masks of what is in them."""
        shape = ClipShape(side=STARTING_SIDE, frames=1, clips=STARTING_PICTURES, targets=1, zoom=2.0)
        batch = clip_batch(_CHANCE, 0, shape, footage=self._footage)
        return normalised(batch.frames), batch.masks.float()


def _clip_scores(streaming: StreamingSam2, seed: int, level: int) -> tuple[float, float]:
    """J and F on a clip of the generated world."""
    world = generate(seed, level, VALIDATION_FRAMES, stride=VALIDATION_STRIDE)
    return _scores(streaming, world.frames, world.ids == world.target)


def _scores(
    streaming: StreamingSam2, frames: npt.NDArray[np.uint8], masks: npt.NDArray[np.bool_]
) -> tuple[float, float]:
    """J and F of one target, given its first mask."""
    memory, scores = streaming.new_memory(), []
    for index, (frame, truth) in enumerate(zip(frames, masks, strict=True)):
        features = streaming.encode(frame)
        if index == 0:
            decoded = streaming.decode_prompt(features, Prompt.from_mask(truth))
            streaming.remember_prompt(features, decoded, memory, index)
            continue
        decoded = streaming.decode(features, streaming.condition(features, [memory], index, [None]))
        streaming.remember(features, decoded, [memory], index)
        (mask,) = masks_at(decoded.low_res, truth.shape)
        scores.append((region_similarity(truth, mask), contour_accuracy(truth, mask)))
    j, f = np.mean(scores, axis=0)
    return float(j), float(f)
