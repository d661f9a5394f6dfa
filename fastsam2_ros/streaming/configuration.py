"""A sam2 YAML configuration as plain values. Hydra calls whatever a `_target_` names: only SAM 2's own parts may be named."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from fastsam2_ros.errors import ModelError

TARGETS = frozenset(
    {
        "fastsam2_ros.streaming.trunk.TimmTrunk",
        "sam2.modeling.backbones.hieradet.Hiera",
        "sam2.modeling.backbones.image_encoder.FpnNeck",
        "sam2.modeling.backbones.image_encoder.ImageEncoder",
        "sam2.modeling.memory_attention.MemoryAttention",
        "sam2.modeling.memory_attention.MemoryAttentionLayer",
        "sam2.modeling.memory_encoder.CXBlock",
        "sam2.modeling.memory_encoder.Fuser",
        "sam2.modeling.memory_encoder.MaskDownSampler",
        "sam2.modeling.memory_encoder.MemoryEncoder",
        "sam2.modeling.position_encoding.PositionEmbeddingSine",
        "sam2.modeling.sam.transformer.Attention",
        "sam2.modeling.sam.transformer.RoPEAttention",
        "sam2.modeling.sam2_base.SAM2Base",
        "sam2.sam2_video_predictor.SAM2VideoPredictor",
        "sam2.sam2_video_predictor.SAM2VideoPredictorVOS",
    }
)
"""What a configuration may make. Whole names: every module that one of these names begins with also holds torch and os."""


def read_model(file: Path, overrides: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """The `model` part of a configuration, with interpolations resolved; nothing in it is made yet.

    Args:
        file: sam2's YAML form.
        overrides: further settings of that part.

    Raises:
        ModelError: no sam2 configuration, or one that names something that is not in `TARGETS`.
    """
    from omegaconf import OmegaConf

    try:
        settings = OmegaConf.merge(OmegaConf.load(file), {"model": dict(overrides or {})})
        model: Any = OmegaConf.to_container(settings.model, resolve=True)
    except Exception as error:  # YAML, encoding, interpolation, file system: in each case it is this file
        raise ModelError(f"{file} is not a sam2 model configuration: {' '.join(str(error).split())}") from error
    for place, key, value in _leaves(model, "model"):
        _check(file, place, key, value)
    return dict(model)


def _leaves(value: Any, place: str, key: str = "") -> Iterator[tuple[str, str, Any]]:
    """Every value that holds no others: its place in dotted form, its own key, and itself."""
    if key != "_target_" and isinstance(value, dict):
        for name, item in value.items():
            yield from _leaves(item, f"{place}.{name}", str(name))
    elif key != "_target_" and isinstance(value, list):
        for number, item in enumerate(value):
            yield from _leaves(item, f"{place}[{number}]")
    else:
        yield place, key, value


def _check(file: Path, place: str, key: str, value: Any) -> None:
    if key == "_target_" and not (isinstance(value, str) and value in TARGETS):
        raise ModelError(
            f"{file} would make {value!r} ({place}), which is no part of SAM 2 and could run any code. "
            "A configuration may only name the classes that sam2's own configurations name."
        )
    if key == "weights_path" and value is not None:
        raise ModelError(
            f"{file} would load {value!r} ({place}), which upstream does by unpickling. Take the line out, and give "
            "the weights as model.checkpoint."
        )
    if isinstance(value, str) and "${" in value:
        raise ModelError(f"{file} still has an interpolation after resolving: {value!r} ({place}). Write the value.")
