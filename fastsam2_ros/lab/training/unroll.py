"""SAM 2 over a batch of short clips with gradients: its own `track_step`, frame after frame, all targets at once."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from sam2.modeling.sam2_base import SAM2Base
from torch import Tensor, nn

from fastsam2_ros.lab.training import prompts
from fastsam2_ros.lab.training.clips import ClipBatch
from fastsam2_ros.lab.training.losses import Losses, frame_losses
from fastsam2_ros.streaming.picture import IMAGE_MEAN, IMAGE_STD

PROMPT_KINDS = ("mask", "box", "point", "region")
"""A mask; a tight box; a point; a loose box with a point in it, as grounding gives it. The last two ask for three masks."""
BOX_JITTER = 0.1
REGION_JITTER = 0.3
CERTAIN = 10.0
"""Object score given to a target that the truth declares visible; minus this to an absent one."""
LOSS_STRIDE = 2
"""Pixels of the encoder's image per pixel of the masks that are compared: masks are predicted at stride 4."""
LONGEST_JUMP = 40
"""Frames between the prompt and the frame after it that time encodings are trained for."""


@dataclass(frozen=True)
class Plan:
    """What happens in one unrolled batch; drawn anew for each.

    Attributes:
        kind: one of `PROMPT_KINDS`.
        corrections: further points on the prompted frame, each where the mask before was wrong.
        second: frame that is prompted again with the true mask, or 0 for none.
        times: number of each frame: 0 for the prompt, then rising.
        told: probability that SAM 2 is told whether a target is visible instead of believing its own score, [0, 1].
            Without it an untrained score would fill the memory with empty masks.
    """

    kind: str
    corrections: int
    second: int
    times: tuple[int, ...]
    told: float

    @staticmethod
    def draw(frames: int, masks: float, told: float, generator: torch.Generator) -> Plan:
        """A random plan for clips of `frames` frames, of which a share of `masks` starts from a mask."""

        def chance() -> float:
            return float(torch.rand((), generator=generator))

        # A lone frame with a given mask has nothing left to predict.
        given = frames > 1 and chance() < masks
        kind = "mask" if given else PROMPT_KINDS[1:][int(chance() * (len(PROMPT_KINDS) - 1))]
        corrections = int(kind != "mask" and chance() < 0.3)
        second = 1 + int(chance() * (frames - 1)) if frames > 2 and chance() < 0.15 else 0
        jump = int(chance() * LONGEST_JUMP) if chance() < 0.3 else 0
        return Plan(kind, corrections, second, (0, *(jump + t for t in range(1, frames))), told)


@dataclass(frozen=True)
class Unrolled:
    """The losses of a batch, and the mask that SAM 2 would publish in each frame.

    Attributes:
        losses: over all frames but those where the mask was given.
        iou: float (rows, T), of the published mask with the truth; 1 where a mask was given, or both are empty.
        loudness: scalar, mean square of the image's features, which have no norm of their own.
    """

    losses: Losses
    iou: Tensor
    loudness: Tensor


def unroll(model: SAM2Base, batch: ClipBatch, plan: Plan, generator: torch.Generator) -> Unrolled:
    """Run the model over the clips and compare what it says with the truth.

    Args:
        model: in training mode, its image size set by `set_side`.
        batch: on the model's device.
        plan: see there.
        generator: on the CPU; draws prompts.
    """
    truth, at_clip, count = batch.masks, batch.clip_of_row, batch.masks.shape[1]
    small = F.avg_pool2d(truth.float(), LOSS_STRIDE).ge(0.5)  # (rows, T, S / 2, S / 2)
    visible = truth.flatten(2).any(2)  # (rows, T)
    backbone = model.forward_image(normalised(batch.frames))
    _, levels, positions, sizes = model._prepare_backbone_features(backbone)

    outputs: dict[str, dict[int, Any]] = {"cond_frame_outputs": {}, "non_cond_frame_outputs": {}}
    losses: list[Losses] = []
    ious: list[Tensor] = []
    with decoder_heads(model) as heads:
        for t, time in enumerate(plan.times):
            prompted = t in (0, plan.second)
            step = {
                "frame_idx": time,
                "is_init_cond_frame": prompted,
                "current_vision_feats": [level[:, at_clip * count + t] for level in levels],
                "current_vision_pos_embeds": [position[:, at_clip * count + t] for position in positions],
                "feat_sizes": sizes,
                "output_dict": outputs,
                # Pointers' encodings are normalised by the longest history, as in a stream without end.
                "num_frames": LONGEST_JUMP + 1000,
                # The last frame is remembered by nobody.
                "run_mem_encoder": t + 1 < count,
            }
            heads.tell(visible[:, t], plan.told, generator)
            if prompted and (plan.kind == "mask" or t > 0):
                output = model.track_step(**step, point_inputs=None, mask_inputs=truth[:, t, None].float())
            else:
                inputs = _first_prompt(plan.kind, truth[:, t], generator) if prompted else None
                with three_masks(model, not prompted or plan.kind in ("point", "region")):
                    output = model.track_step(**step, point_inputs=inputs, mask_inputs=None)
                losses.append(_compare(heads, small[:, t], visible[:, t]))
                for _ in range(plan.corrections):
                    if inputs is None:  # nobody corrects what is only tracked
                        break
                    inputs = prompts.corrected(inputs, output["pred_masks_high_res"][:, 0] > 0, truth[:, t], generator)
                    hint = output["pred_masks"].detach().clamp(-32, 32)
                    with three_masks(model, False):
                        output = model.track_step(
                            **step, point_inputs=inputs, mask_inputs=None, prev_sam_mask_logits=hint
                        )
                    losses.append(_compare(heads, small[:, t], visible[:, t]))
            ious.append(_published_iou(output, small[:, t]))
            outputs["cond_frame_outputs" if prompted else "non_cond_frame_outputs"][time] = output
    return Unrolled(sum(losses[1:], start=losses[0]), torch.stack(ious, dim=1), levels[-1].float().square().mean())


def normalised(frames: Tensor) -> Tensor:
    """uint8 (clips, T, S, S, 3) to what the image encoder takes: float32 (clips * T, 3, S, S)."""
    mean, std = (torch.tensor(value, device=frames.device)[:, None, None] for value in (IMAGE_MEAN, IMAGE_STD))
    return (frames.flatten(0, 1).permute(0, 3, 1, 2).float() / 255 - mean) / std


def set_side(model: SAM2Base, side: int) -> None:
    """Let the model take images of `side` pixels, a multiple of 32: every weight serves any size."""
    grid = side // model.backbone_stride
    model.image_size = side
    model.sam_image_embedding_size = grid
    encoder = model.sam_prompt_encoder
    encoder.image_embedding_size = (grid, grid)
    encoder.input_image_size = (side, side)
    encoder.mask_input_size = (4 * grid, 4 * grid)


class Heads:
    """What the mask decoder said last: before SAM 2 overwrites the masks of targets that it believes absent.

    Attributes:
        masks: (rows, M, 4 g, 4 g), raw logits.
        iou: (rows, M).
        score: (rows,), logits of being visible.
    """

    masks: Tensor
    iou: Tensor
    score: Tensor
    _told: Tensor | None = None
    _answer: Tensor

    def tell(self, visible: Tensor, probability: float, generator: torch.Generator) -> None:
        """Answer for the score in the next steps, for some rows, with the truth."""
        self._told = (torch.rand(len(visible), generator=generator) < probability).to(visible.device)[:, None]
        self._answer = torch.where(visible, CERTAIN, -CERTAIN)[:, None]

    def catch(self, _decoder: Any, _inputs: Any, output: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        """A forward hook."""
        masks, iou, tokens, score = output
        self.masks, self.iou, self.score = masks.float(), iou.float(), score.float()[:, 0]
        if self._told is not None:
            score = torch.where(self._told, self._answer.to(score.dtype), score)
        return masks, iou, tokens, score


@contextmanager
def decoder_heads(model: SAM2Base) -> Iterator[Heads]:
    """Listen to the mask decoder."""
    heads = Heads()
    handle = model.sam_mask_decoder.register_forward_hook(heads.catch)
    try:
        yield heads
    finally:
        handle.remove()


@contextmanager
def three_masks(model: SAM2Base, wanted: bool) -> Iterator[None]:
    """Whether the next prompt gets three masks or one; SAM 2 decides by the number of points."""
    before = model.multimask_min_pt_num, model.multimask_max_pt_num
    model.multimask_min_pt_num, model.multimask_max_pt_num = (0, 3) if wanted else (-1, -1)
    try:
        yield
    finally:
        model.multimask_min_pt_num, model.multimask_max_pt_num = before


@contextmanager
def full_precision(module: nn.Module) -> Iterator[None]:
    """Compute a module in fp32 within autocast."""
    inner, own = module.forward, vars(module).get("forward")

    def forward(images: Tensor) -> Any:
        with torch.autocast(images.device.type, enabled=False):
            return inner(images.float())

    module.forward = forward
    try:
        yield
    finally:
        if own is None:
            del module.forward
        else:
            module.forward = own


def _first_prompt(kind: str, masks: Tensor, generator: torch.Generator) -> dict[str, Tensor]:
    if kind == "point":
        return prompts.point_prompt(masks, generator)
    loose = kind == "region"
    return prompts.box_prompt(masks, REGION_JITTER if loose else BOX_JITTER, loose, generator)


def _compare(heads: Heads, truth: Tensor, visible: Tensor) -> Losses:
    logits = F.interpolate(heads.masks, truth.shape[-2:], mode="bilinear", align_corners=False)
    return frame_losses(logits, heads.iou, heads.score, truth.float(), visible)


@torch.no_grad()
def _published_iou(output: dict[str, Any], truth: Tensor) -> Tensor:
    masks = F.interpolate(output["pred_masks"].float(), truth.shape[-2:], mode="bilinear", align_corners=False)[:, 0]
    predicted, union = masks > 0, (masks > 0) | truth
    overlap = (predicted & truth).sum((1, 2)) / union.sum((1, 2)).clamp(min=1)
    return torch.where(union.any(2).any(1), overlap, 1.0)
