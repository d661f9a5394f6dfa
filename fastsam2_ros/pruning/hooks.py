"""How upstream's `SAM2VideoPredictor` is made to prune: the methods of one instance that are wrapped, and what is carried.

What to prune is decided by the same `TokenPruner` and `PruningState` as in `TextTracker`. What a frame leaves for later ones
hangs on upstream's own output of that frame, and what one call needs on that call: several states, in several threads too,
`reset_state`, `remove_object` and tracking backwards need no care.
"""

from __future__ import annotations

from collections.abc import Callable
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from sam2.sam2_video_predictor import SAM2VideoPredictor
from torch import Tensor

from fastsam2_ros.config import PruningConfig, TrackerConfig
from fastsam2_ros.pruning import cues
from fastsam2_ros.pruning.loaded_video import Relevance, motion_between
from fastsam2_ros.pruning.pruner import TokenPruner
from fastsam2_ros.pruning.router import FrameCues, WeightedSum
from fastsam2_ros.pruning.state import PruningState
from fastsam2_ros.pruning.upstream_memory import Reading, State, pruned, shrink
from fastsam2_ros.streaming.attention import Keys, Queries, attend
from fastsam2_ros.streaming.fill import fill
from fastsam2_ros.streaming.rotary import RotaryTable
from fastsam2_ros.streaming.shares import TokenShares, token_count
from fastsam2_ros.streaming.warp import STILL

_LEFT = "fastsam2_pruning"
"""Entry of a frame's output: the object's `PruningState` after that frame."""
_THRESHOLDS = TrackerConfig()


@dataclass
class _Pass:
    """One frame of one object on its way through upstream's code.

    Attributes:
        state: the object's, with this frame's keep ratio; of its own, and left in the frame's output at the end.
        cues: of this frame; None where no memory is written, as for a prompt.
        queries: int64 (kept,), rising; None: all.
        seconds: since the frame before.
        camera: (2, 3), `Motion.camera` since the frame before.
        read: int64 (kept,) of each memory frame that was read, in that order; None: all.
        conditioned: (N, 1, C), memory attention's output, once there.
        iou: (1,), predicted, once there.
    """

    state: PruningState
    cues: FrameCues | None = None
    queries: Tensor | None = None
    seconds: float = 0.0
    camera: npt.NDArray[np.float64] = field(default_factory=STILL.copy)
    read: list[Tensor | None] = field(default_factory=list)
    conditioned: Tensor | None = None
    iou: Tensor | None = None


_passing: ContextVar[_Pass | None] = ContextVar("fastsam2_pass", default=None)
"""Of the call that runs: each thread has its own."""


class Hooks:
    """The wrapped methods of one predictor. They hold nothing of any state or call."""

    def __init__(self, predictor: SAM2VideoPredictor, config: PruningConfig, relevance: Relevance | None) -> None:
        self._predictor = predictor
        side = predictor.image_size // predictor.backbone_stride
        self._grid = (side, side)
        self._pruner = TokenPruner(config, WeightedSum(config), self._grid, predictor.num_maskmem)
        self._relevance = relevance
        self._all_tokens = torch.arange(side * side, device=predictor.device)
        self._rotary = RotaryTable.of(predictor.memory_attention, self._grid, predictor.device)
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
        passing = _Pass(self._new_state())
        if others["run_mem_encoder"] and self._pruner.active:  # a prompt's memory is written later
            self._choose(passing, inference_state, output_dict, frame_idx, step)
            _retire(
                output_dict["non_cond_frame_outputs"].get(frame_idx - 2 * step),
                self._counts(passing.state)[1],
            )
        readable = self._readable(output_dict, frame_idx, step, passing)
        token = _passing.set(passing)
        try:
            out, masks = self._upstream_frame(
                inference_state=inference_state, output_dict=readable, frame_idx=frame_idx, reverse=reverse, **others
            )
        finally:
            _passing.reset(token)
        if self._pruner.active:
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
        if not self._pruner.active:
            return features, positions
        tokens = self._tokens(inference_state, frame_idx)
        if self._relevance is not None:
            self._relevance.learn(inference_state, frame_idx, tokens, self._grid)
        trust = _trust(object_score_logits, None)
        state = self._prompted(inference_state, frame_idx, high_res_masks, trust)
        frame = self._frame_cues(inference_state, frame_idx, state)
        scores = self._pruner.router.scores(frame, high_res_masks, trust)
        return pruned(features, positions, frame_idx, scores[0], self._counts(state)[0])

    def _heads(self, *args: Any, **kwargs: Any) -> tuple[Tensor, ...]:
        """`_forward_sam_heads`: its predicted IoU is noted, which upstream does not keep."""
        outputs = self._upstream_heads(*args, **kwargs)
        passing = _passing.get()
        if passing is not None:
            passing.iou = outputs[2].float().amax(1)
        return outputs

    def _attend(self, curr: Any, memory: Tensor, curr_pos: Any, memory_pos: Tensor, num_obj_ptr_tokens: int) -> Tensor:
        """`MemoryAttention.forward`, on the chosen queries and the memory that is left; (N, 1, C)."""
        passing = _passing.get()
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

    def _choose(self, passing: _Pass, state: State, outputs: State, index: int, step: int) -> None:
        """This frame's cues and, where the frame before left what is needed, its keep ratio and queries."""
        left: PruningState | None = _output_at(outputs, index - step).get(_LEFT)
        if left is None or left.mask is None:
            passing.cues = self._frame_cues(state, index, passing.state)
            return
        passing.state = object_state = left.copy()
        passing.cues = self._frame_cues(state, index, object_state)
        motion = motion_between(state, index - step, index, left.mask[None])
        passing.seconds, passing.camera = motion.seconds, motion.camera
        object_state.next_keep_ratio(motion.magnitude, motion.seconds)
        maps = self._pruner.query_maps(passing.cues, [object_state], motion.camera, motion.reaches)
        (passing.queries,) = self._pruner.queries(maps, [object_state])

    def _readable(self, outputs: State, index: int, step: int, passing: _Pass) -> State:
        """The outputs that upstream may attend to. Of several prompts the nearest is read whole, as `TokenShares` says."""
        prompts, tracked = outputs["cond_frame_outputs"], outputs["non_cond_frame_outputs"]
        nearest = min(prompts, key=lambda at: abs(at - index), default=None)
        middle = self._counts(passing.state)[1]
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
        output = attend(self._predictor.memory_attention, queries, keys)[0]
        before = passing.state.conditioned
        if passing.queries is None or before is None:
            return output[:, None]
        return fill(output, kept, before, self._grid, passing.camera)[:, None]

    def _leave(self, passing: _Pass, state: State, index: int, out: State, masks: Tensor) -> None:
        """Leave in a frame's output what the next frames need, and only the best of its memory."""
        trust = _trust(out["object_score_logits"], passing.iou)
        if passing.cues is None:
            out[_LEFT] = self._prompted(state, index, masks, trust)
            return
        object_state = passing.state
        visible = bool((out["object_score_logits"] > 0).all() and (masks > 0).any())
        object_state.observe(
            masks[0].float(),
            None if passing.conditioned is None else passing.conditioned[:, 0],
            float(trust),
            _covered(masks),
            visible,
            passing.seconds,
            trusted_score=_THRESHOLDS.uncertain_score,
            lost_seconds=_THRESHOLDS.lost_seconds,
        )
        if object_state.certain or object_state.prototype is None:
            object_state.prototype = cues.prototype(passing.cues.tokens, masks, self._grid)[0]
        out[_LEFT] = object_state
        if out["maskmem_features"] is not None:
            scores = self._pruner.router.scores(passing.cues, masks, trust)
            out["maskmem_features"], out["maskmem_pos_enc"] = pruned(
                out["maskmem_features"], out["maskmem_pos_enc"], index, scores[0], self._counts(object_state)[0]
            )

    def _new_state(self) -> PruningState:
        """An object's of which nothing is known: at the budget's ceiling."""
        state = self._pruner.new_state()
        state.next_keep_ratio(0.0, 0.0)
        return state

    def _prompted(self, state: State, index: int, masks: Tensor, trust: Tensor) -> PruningState:
        """An object's in the frame of its prompt."""
        masks = masks.to(self._all_tokens.device)
        prototype = cues.prototype(self._tokens(state, index), masks, self._grid)[0]
        prompted = self._pruner.new_state()
        prompted.prompted(
            masks[0].float(),
            prototype,
            float(trust),
            _covered(masks),
            bool((masks > 0).any()),
            trusted_score=_THRESHOLDS.uncertain_score,
        )
        return prompted

    def _counts(self, state: PruningState) -> tuple[int, int]:
        """Tokens kept of the newest and of the other memory frames."""
        shares: TokenShares = self._pruner.shares(state.keep_ratio)
        total = len(self._all_tokens)
        return token_count(shares.ends, total), token_count(shares.middle, total)

    def _tokens(self, state: State, index: int) -> Tensor:
        """A frame's tokens (N, C), which upstream has at hand while it works on the frame."""
        _, _, features, _, _ = self._predictor._get_image_feature(state, index, 1)
        return features[-1][:, 0]

    def _frame_cues(self, state: State, index: int, object_state: PruningState) -> FrameCues:
        tokens = self._tokens(state, index)
        text = None if self._relevance is None else self._relevance(state, index, tokens, self._grid)
        return self._pruner.frame_cues(tokens, [object_state], text)


def _output_at(outputs: State, index: int) -> State:
    """A frame's output; empty where there is none."""
    return outputs["cond_frame_outputs"].get(index) or outputs["non_cond_frame_outputs"].get(index) or {}


def _covered(masks: Tensor) -> float:
    """Share of the frame that mask logits of one target cover."""
    return float((masks > 0).float().mean())


def _retire(out: State | None, count: int) -> None:
    """A frame that is not the newest any more: only its memory counts, and little of that."""
    if out is not None:
        out.pop(_LEFT, None)
        shrink(out, count)


def _trust(object_score: Tensor, iou: Tensor | None) -> Tensor:
    """(1,), [0, 1]: probability of being visible, times predicted IoU where that is known."""
    visible = object_score.float().sigmoid().flatten()
    return visible if iou is None else visible * iou.clamp(0, 1)
