"""`prune`: token pruning for code that uses upstream's `SAM2VideoPredictor`, in one call."""

from __future__ import annotations

from dataclasses import replace
from numbers import Real
from typing import Any, Literal

from sam2.modeling.sam.transformer import RoPEAttention
from sam2.sam2_video_predictor import SAM2VideoPredictor

from fastsam2_ros.config import LanguageConfig, PruningConfig
from fastsam2_ros.errors import InputError
from fastsam2_ros.pruning.hooks import Hooks
from fastsam2_ros.pruning.loaded_video import Relevance

MOTION = "motion"
"""Value of `keep` that lets the motion decide, frame by frame."""
TEXT_WEIGHT = 0.3
"""Of the text cue, where a text is given."""

_HOOKS = "_fastsam2_hooks"  # attribute of a pruned predictor


def prune(
    predictor: SAM2VideoPredictor,
    text: str | None = None,
    keep: float | Literal["motion"] = "motion",
    language: LanguageConfig | None = None,
) -> None:
    """Let a predictor's memory attention see only the tokens that matter; the code around it stays as it is.

    With `keep` 1 the results are upstream's bit for bit. A state that was tracked before is taken as it is. Called again,
    the new settings replace the old ones.

    Args:
        predictor: of `build_sam2_video_predictor` or `from_pretrained`, on its device.
        text: what is tracked, in words; several descriptions are separated by ';'. None: no text cue, no language model.
        keep: "motion": decided for every frame and object by how much moves, and no less than what covers the object; or
            (0, 1], the share of a frame's tokens that go through memory attention. A frame whose neighbour was not tracked
            just before, and one that is corrected by a prompt, keeps all queries.
        language: the model for `text`; by default that of `TrackerConfig`.

    Raises:
        InputError: not such a predictor, share or text.
        ModelError: the language model cannot be had.
    """
    _require_predictor(predictor)
    config = replace(_config(keep), text_weight=0.0 if text is None else TEXT_WEIGHT)
    relevance = None if text is None else Relevance(text, language or LanguageConfig(), predictor.device)
    unprune(predictor)
    setattr(predictor, _HOOKS, Hooks(predictor, config, relevance))


def unprune(predictor: SAM2VideoPredictor) -> None:
    """Make a predictor upstream's again; without effect on one that is not pruned.

    What was tracked with pruning left pruned memory, which upstream cannot read: call `reset_state` on those states.

    Raises:
        InputError: not a `SAM2VideoPredictor`.
    """
    _require_predictor(predictor)
    hooks = predictor.__dict__.pop(_HOOKS, None)
    if hooks is not None:
        hooks.remove()


def _require_predictor(predictor: Any) -> None:
    if not isinstance(predictor, SAM2VideoPredictor):
        raise InputError(
            f"This is a {type(predictor).__name__}; a sam2.sam2_video_predictor.SAM2VideoPredictor is expected, "
            "as build_sam2_video_predictor makes it."
        )
    if not isinstance(predictor.memory_attention.layers[0].self_attn, RoPEAttention):
        raise InputError("This predictor's memory attention has no rotary positions; take a SAM 2 or 2.1 model.")


def _config(keep: Any) -> PruningConfig:
    if keep == MOTION:
        return PruningConfig()
    if isinstance(keep, Real) and not isinstance(keep, bool) and 0 < float(keep) <= 1:
        return PruningConfig(keep_ratio=float(keep))
    raise InputError(f"keep is {keep!r}; it can be a share of tokens above 0 and up to 1, or {MOTION!r}.")
