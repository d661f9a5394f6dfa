"""How upstream's `SAM2VideoPredictor` is made to prune: the methods of one instance that are wrapped, and what is carried.

What a frame leaves for later ones hangs on upstream's own output of that frame, never on the predictor: several states,
`reset_state`, `remove_object` and tracking backwards need no care.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from sam2.sam2_video_predictor import SAM2VideoPredictor
from torch import Tensor

from fastsam2_ros.config import PruningConfig
from fastsam2_ros.pruning import cues
from fastsam2_ros.pruning.budget import Budget
from fastsam2_ros.pruning.loaded_video import Relevance, motion_between
from fastsam2_ros.pruning.router import FrameCues, Router, WeightedSum, best_tokens
from fastsam2_ros.pruning.upstream_memory import Reading, State, pruned, shrink
from fastsam2_ros.streaming.attention import Keys, Queries, attend
from fastsam2_ros.streaming.fills import Partial, fill
from fastsam2_ros.streaming.rotary import RotaryTable
from fastsam2_ros.streaming.shares import Shares, token_count

TRUSTED = 0.5
"""A mask whose score is below this asks for the ceiling, and teaches nothing of the target's looks."""

_TRACE = "fastsam2_trace"  # entry of a frame's output


@dataclass(frozen=True)
class _Trace:
    """What a frame leaves for the next one, in upstream's output of that frame.

    Attributes:
        prototype: (1, C), mean token of the target where it was last seen well.
        trust: float32 (1,), [0, 1], visibility times predicted IoU.
        budget: as it stands after this frame.
        conditioned: (N, 1, C), what the decoder got, from which the next frame's pruned queries are filled; None for a
            prompt's frame.
    """

    prototype: Tensor
    trust: Tensor
    budget: Budget
    conditioned: Tensor | None


@dataclass
class _Pass:
    """One frame of one object on its way through upstream's code.

    Attributes:
        keep_ratio, budget: of this frame.
        cues: of this frame; None where no memory is written, as for a prompt.
        prototype: (1, C), of the target until now; None: not known.
        queries: int64 (kept,), rising; None: all.
        before: (N, 1, C), what the decoder got in the frame before; None: all queries are kept.
        camera: (2, 3), `Motion.camera` since that frame.
        read: int64 (kept,) of each memory frame that was read, in that order; None: all.
        conditioned: (N, 1, C), memory attention's output, once there.
        iou: (1,), predicted, once there.
    """

    keep_ratio: float
    budget: Budget
    cues: FrameCues | None = None
    prototype: Tensor | None = None
    queries: Tensor | None = None
    before: Tensor | None = None
    camera: npt.NDArray[np.float64] = field(default_factory=lambda: np.eye(2, 3))
    read: list[Tensor | None] = field(default_factory=list)
    conditioned: Tensor | None = None
    iou: Tensor | None = None


class Hooks:
    """The wrapped methods of one predictor. Of any state it holds nothing, but while a frame passes."""

    def __init__(self, predictor: SAM2VideoPredictor, config: PruningConfig, relevance: Relevance | None) -> None:
        self._predictor = predictor
        self._config = config
        self._router = Router(WeightedSum(config))
        self._relevance = relevance
        side = predictor.image_size // predictor.backbone_stride
        self._grid = (side, side)
        self._all_tokens = torch.arange(side * side, device=predictor.device)
        self._rotary = RotaryTable.of(predictor.memory_attention, self._grid, predictor.device)
        self._pass: _Pass | None = None
        self._found: list[tuple[torch.nn.Module, str, Any]] = []
        self._upstream_frame = self._wrap(predictor, "_run_single_frame_inference", self._frame)
        self._upstream_encoder = self._wrap(predictor, "_run_memory_encoder", self._encode_prompt)
        self._upstream_heads = self._wrap(predictor, "_forward_sam_heads", self._heads)
        self._upstream_attention = self._wrap(predictor.memory_attention, "forward", self._attend)

    def _wrap(self, module: torch.nn.Module, name: str, method: Callable[..., Any]) -> Callable[..., Any]:
        original: Callable[..., Any] = getattr(module, name)
        self._found.append((module, name, module.__dict__.get(name)))  # a compiled predictor has its own there
        setattr(module, name, method)
        return original

    def remove(self) -> None:
        """Put back what was there."""
        for module, name, before in self._found:
            if before is None:
                delattr(module, name)
            else:
                setattr(module, name, before)

    # ---- the wrapped methods, with the arguments that upstream names ----

    def _frame(
        self, inference_state: State, output_dict: State, frame_idx: int, reverse: bool, **others: Any
    ) -> tuple[State, Tensor]:
        """`_run_single_frame_inference`: queries are chosen before it, the memory that it writes shrinks after it."""
        step = -1 if reverse else 1
        passing = _Pass(*self._first_budget())
        if others["run_mem_encoder"] and not self._dense:  # a prompt's memory is written later
            self._choose(passing, inference_state, output_dict, frame_idx, step)
            _retire(
                output_dict["non_cond_frame_outputs"].get(frame_idx - 2 * step), self._counts(passing.keep_ratio)[1]
            )
        readable = self._readable(output_dict, frame_idx, step, passing)
        self._pass = passing
        try:
            out, masks = self._upstream_frame(
                inference_state=inference_state, output_dict=readable, frame_idx=frame_idx, reverse=reverse, **others
            )
        finally:
            self._pass = None
        if not self._dense:
            self._leave(passing, inference_state, frame_idx, out, masks)
        return out, masks

    def _encode_prompt(
        self, inference_state: State, frame_idx: int, high_res_masks: Tensor, object_score_logits: Tensor, **others: Any
    ) -> tuple[Tensor, list[Any]]:
        """`_run_memory_encoder`, by which upstream remembers prompts: a keyframe of the text, and memory that shrinks."""
        features, positions = self._upstream_encoder(
            inference_state=inference_state,
            frame_idx=frame_idx,
            high_res_masks=high_res_masks,
            object_score_logits=object_score_logits,
            **others,
        )
        if self._dense:
            return features, positions
        tokens, grid = self._tokens(inference_state, frame_idx)
        if self._relevance is not None:
            self._relevance.learn(inference_state, frame_idx, tokens, grid)
        frame = self._frame_cues(inference_state, frame_idx, cues.prototype(tokens, high_res_masks, grid))
        scores = self._router.scores(frame, high_res_masks, _trust(object_score_logits, None))
        count, _ = self._counts(self._first_budget(high_res_masks)[0])
        return pruned(features, positions, frame_idx, scores[0], count)

    def _heads(self, *args: Any, **kwargs: Any) -> tuple[Tensor, ...]:
        """`_forward_sam_heads`: its predicted IoU is noted, which upstream does not keep."""
        outputs = self._upstream_heads(*args, **kwargs)
        if self._pass is not None:
            self._pass.iou = outputs[2].float().amax(1)
        return outputs

    def _attend(self, curr: Any, memory: Tensor, curr_pos: Any, memory_pos: Tensor, num_obj_ptr_tokens: int) -> Tensor:
        """`MemoryAttention.forward`, on the chosen queries and the memory that is left; (N, 1, C)."""
        passing = self._pass
        if passing is None or (passing.queries is None and all(tokens is None for tokens in passing.read)):
            output = self._upstream_attention(
                curr=curr,
                memory=memory,
                curr_pos=curr_pos,
                memory_pos=memory_pos,
                num_obj_ptr_tokens=num_obj_ptr_tokens,
            )
        else:
            output = self._attend_pruned(passing, curr[0], memory, curr_pos[0], memory_pos)
        if passing is not None:
            passing.conditioned = output
        return output

    # ---- pieces ----

    @property
    def _dense(self) -> bool:
        return self._config.keep_ratio == 1.0

    def _choose(self, passing: _Pass, state: State, outputs: State, index: int, step: int) -> None:
        """This frame's cues and, where the frame before left what is needed, its keep ratio and queries."""
        neighbour = _output_at(outputs, index - step)
        trace: _Trace | None = neighbour.get(_TRACE)
        passing.prototype = None if trace is None else trace.prototype
        passing.cues = frame = self._frame_cues(state, index, passing.prototype)
        if trace is None:
            return
        masks = neighbour["pred_masks"].to(frame.tokens.device)
        if trace.conditioned is None:
            passing.keep_ratio, passing.budget = self._first_budget(masks)
            return
        motion = motion_between(state, index - step, index, masks)
        passing.budget = copy.copy(trace.budget)
        uncertain = bool(trace.trust < TRUSTED)
        passing.keep_ratio = passing.budget.update(motion.magnitude, motion.seconds, uncertain, size=_covered(masks))
        scores = self._router.scores(frame, masks, trace.trust, motion.camera, motion.reaches)
        passing.queries = best_tokens(scores, self._shares(passing.keep_ratio).queries)[0]
        passing.before, passing.camera = trace.conditioned, motion.camera

    def _readable(self, outputs: State, index: int, step: int, passing: _Pass) -> State:
        """The outputs that upstream may attend to. Of several prompts the nearest is read whole, as `Shares` says."""
        prompts, tracked = outputs["cond_frame_outputs"], outputs["non_cond_frame_outputs"]
        nearest = min(prompts, key=lambda at: abs(at - index), default=None)
        middle = self._counts(passing.keep_ratio)[1]
        model = self._predictor
        reach = max(model.max_obj_ptrs_in_encoder, model.num_maskmem * model.memory_temporal_stride_for_eval)
        near = [index - step * distance for distance in range(1, reach + 1)]
        return {
            "cond_frame_outputs": {
                at: Reading(out, passing.read, None if at == nearest else middle) for at, out in prompts.items()
            },
            "non_cond_frame_outputs": {at: Reading(tracked[at], passing.read) for at in near if at in tracked},
        }

    def _attend_pruned(
        self, passing: _Pass, image: Tensor, memory: Tensor, image_positions: Tensor, memory_positions: Tensor
    ) -> Tensor:
        """All sequence first, with one target: (N, 1, C) and (spatial + pointers, 1, M); gives (N, 1, C)."""
        every = self._all_tokens
        read = torch.cat([every if tokens is None else tokens.to(every.device) for tokens in passing.read])
        kept = every if passing.queries is None else passing.queries
        queries = Queries(
            image[kept].transpose(0, 1), image_positions[kept].transpose(0, 1), self._rotary.at(kept[None])
        )
        keys = Keys(memory.transpose(0, 1), memory_positions.transpose(0, 1), self._rotary.at(read[None]))
        attention = self._predictor.memory_attention
        output = attend(attention, queries, keys)[0]
        if passing.before is None:
            return output[:, None]
        raw = image[:, 0] + self._predictor.no_mem_embed[0]
        partial = Partial(
            output=output,
            kept=kept,
            tokens=image[:, 0],
            positions=image_positions[:, 0],
            raw=raw,
            before=passing.before[:, 0],
            grid=self._grid,
            camera=passing.camera,
            attention=attention,
        )
        return fill(self._config.fill, partial)[:, None]

    def _leave(self, passing: _Pass, state: State, index: int, out: State, masks: Tensor) -> None:
        """Leave in a frame's output what the next frames need, and only the best of its memory."""
        trust = _trust(out["object_score_logits"], passing.iou)
        prototype = passing.prototype
        if prototype is None or bool(trust >= TRUSTED and (masks > 0).any()):
            tokens, grid = self._tokens(state, index)
            prototype = cues.prototype(tokens, masks, grid)
        out[_TRACE] = _Trace(prototype, trust, passing.budget, passing.conditioned)
        if passing.cues is not None and out["maskmem_features"] is not None:
            scores = self._router.scores(passing.cues, masks, trust)
            count, _ = self._counts(passing.keep_ratio)
            out["maskmem_features"], out["maskmem_pos_enc"] = pruned(
                out["maskmem_features"], out["maskmem_pos_enc"], index, scores[0], count
            )

    def _first_budget(self, masks: Tensor | None = None) -> tuple[float, Budget]:
        """A target's keep ratio and budget when it is prompted, with a mask of any size or none."""
        budget = Budget(self._config)
        return budget.update(0.0, 0.0, True, size=0.0 if masks is None else _covered(masks)), budget

    def _shares(self, keep_ratio: float) -> Shares:
        return Shares.of(keep_ratio, self._predictor.num_maskmem, self._config.query_exponent, self._config.keys)

    def _counts(self, keep_ratio: float) -> tuple[int, int]:
        """Tokens kept of the newest and of the other memory frames."""
        shares = self._shares(keep_ratio)
        total = len(self._all_tokens)
        return token_count(shares.ends, total), token_count(shares.middle, total)

    def _tokens(self, state: State, index: int) -> tuple[Tensor, cues.Grid]:
        """A frame's tokens (N, C), which upstream has at hand while it works on the frame, and their grid."""
        _, _, features, _, sizes = self._predictor._get_image_feature(state, index, 1)
        return features[-1][:, 0], sizes[-1]

    def _frame_cues(self, state: State, index: int, prototype: Tensor | None) -> FrameCues:
        tokens, grid = self._tokens(state, index)
        text = None if self._relevance is None else self._relevance(state, index, tokens, grid)
        return self._router.frame_cues(
            tokens, grid, torch.zeros_like(tokens[:1]) if prototype is None else prototype, text
        )


def _output_at(outputs: State, index: int) -> State:
    """A frame's output; empty where there is none."""
    return outputs["cond_frame_outputs"].get(index) or outputs["non_cond_frame_outputs"].get(index) or {}


def _covered(masks: Tensor) -> float:
    """Share of the frame that mask logits of one target cover."""
    return float((masks > 0).float().mean())


def _retire(out: State | None, count: int) -> None:
    """A frame that is not the newest any more: only its memory counts, and little of that."""
    if out is not None:
        out.pop(_TRACE, None)
        shrink(out, count)


def _trust(object_score: Tensor, iou: Tensor | None) -> Tensor:
    """(1,), [0, 1]: probability of being visible, times predicted IoU where that is known."""
    visible = object_score.float().sigmoid().flatten()
    return visible if iou is None else visible * iou.clamp(0, 1)
