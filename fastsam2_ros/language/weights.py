"""open_clip architectures and weights, by name or file. Nothing in a file is ever executed."""

from __future__ import annotations

import difflib
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import open_clip
import torch
from open_clip.model import convert_to_custom_text_state_dict, resize_pos_embed, resize_text_pos_embed
from open_clip.pretrained import download_pretrained, download_pretrained_from_hf, get_pretrained_cfg
from open_clip.timm_model import TimmModel
from open_clip.tokenizer import HFTokenizer, SimpleTokenizer
from open_clip.transformer import ResidualAttentionBlock, VisionTransformer

from fastsam2_ros.config import MINI, UNTRAINED, LanguageConfig
from fastsam2_ros.errors import ModelError
from fastsam2_ros.language import pyramid  # noqa: F401  # makes the image tower of mini known to timm
from fastsam2_ros.shipped import MINI_CLIP
from fastsam2_ros.weights import read_tensors

HUB = "hf-hub:"
FILE_ENDINGS = (".pt", ".pth", ".bin", ".safetensors")
TOKENIZER_OPTIONS = ("clean", "context_length", "language", "lower", "reduction_mask", "strip_sep_token")
SUPPORTED = (
    "Dense relevance needs open_clip's own VisionTransformer with a class or average pooled output, "
    "such as ViT-B-32, ViT-B-16, ViT-L-14 or ViT-H-14, or a convolutional timm tower with average pooling and a linear "
    "projection"
)


@dataclass(frozen=True)
class Source:
    """Where a model comes from.

    Attributes:
        name: for messages: the model's name or its JSON file.
        architecture: open_clip's model configuration (embed_dim, vision_cfg, text_cfg ...).
        preprocess: what the weights ask of images (mean, std), where they say so.
        checkpoint: the weights' file, or None for random ones.
    """

    name: str
    architecture: Mapping[str, Any]
    preprocess: Mapping[str, Any] = field(default_factory=dict)
    checkpoint: Path | None = None


def find(config: LanguageConfig) -> Source:
    """Resolve name and weights; a tag or hub name is downloaded, once, into the Hugging Face cache.

    A hub name brings its own architecture; `config.name` is then not read.

    Raises:
        ModelError: either does not exist, cannot be had, or is of an unsupported kind.
    """
    config = config.suited()
    if config.weights.startswith(HUB):
        repository = config.weights.removeprefix(HUB)
        architecture, preprocess = _read_json(_from_hub(repository, "open_clip_config.json"))
        _check_kind(config.weights, architecture)
        return Source(config.weights, architecture, preprocess, _from_hub(repository, None))

    architecture, preprocess = _architecture(config.name)
    _check_kind(config.name, architecture)
    if config.weights == UNTRAINED:
        return Source(config.name, architecture, preprocess)
    if config.weights == MINI and config.name == MINI and MINI_CLIP.is_file():
        return Source(config.name, architecture, preprocess, MINI_CLIP)
    if Path(config.weights).is_file():
        return Source(config.name, architecture, preprocess, Path(config.weights))
    if config.weights.endswith(FILE_ENDINGS) or os.sep in config.weights:
        raise ModelError(f"There is no file {config.weights} (weights of the open_clip model {config.name}).")
    return _from_tag(config.name, config.weights, architecture)


def build(source: Source, seed: int) -> tuple[torch.nn.Module, Any]:
    """The model, in eval mode on the CPU, and its tokenizer. torch's own random state stays as it was.

    Raises:
        ModelError: the architecture is not one, or the file is damaged or belongs to another.
    """
    architecture = dict(source.architecture)
    text = dict(architecture["text_cfg"])
    hf_text = "hf_model_name" in text
    if hf_text:
        text["hf_model_pretrained"] = False  # its weights come with the checkpoint
    architecture["text_cfg"] = text
    custom = architecture.pop("custom_text", False) or hf_text
    try:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            model = (open_clip.CustomTextCLIP if custom else open_clip.CLIP)(**architecture)
        tokenizer = _tokenizer(text)
    except Exception as error:  # a third party's constructors: anything may be wrong with the JSON
        raise ModelError(f"open_clip cannot build the model {source.name}: {error}") from error
    _check_tower(source.name, model)
    if source.checkpoint is not None:
        # open_clip's own loader is not used: on a TypeError it reads the file again without `weights_only`, and before
        # torch 2.6 that means full unpickling, which runs code.
        _load(model, read_tensors(source.checkpoint), source)
    return model.eval().requires_grad_(False), tokenizer


def _architecture(name: str) -> tuple[Mapping[str, Any], Mapping[str, Any]]:
    if name == MINI:
        return _read_json(MINI_CLIP.with_suffix(".json"))
    if name.endswith(".json") or os.sep in name:
        return _read_json(Path(name))
    architecture = open_clip.get_model_config(name) if name in open_clip.list_models() else None
    if architecture is None:
        names = open_clip.list_models()
        close = difflib.get_close_matches(name, names, n=4, cutoff=0.4) or ["ViT-B-16", "ViT-B-32", "ViT-L-14"]
        raise ModelError(
            f"open_clip has no model {name!r}. Close names: {', '.join(close)}. "
            "A model of your own: give the path of its JSON file."
        )
    return architecture, {}


def _read_json(path: Path) -> tuple[Mapping[str, Any], Mapping[str, Any]]:
    """Architecture and preprocessing from a model JSON (as in open_clip's model_configs, or as on the hub)."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ModelError(f"The open_clip model file {path} cannot be read: {error}") from error
    whole = content if isinstance(content, dict) else {}
    architecture, preprocess = whole.get("model_cfg", whole), whole.get("preprocess_cfg", {})
    parts = {"model_cfg": architecture, "preprocess_cfg": preprocess}
    if isinstance(architecture, dict):
        missing = [key for key in ("embed_dim", "vision_cfg", "text_cfg") if key not in architecture]
        if missing:
            raise ModelError(f"The open_clip model file {path} lacks {', '.join(missing)}.")
        parts.update({key: architecture[key] for key in ("vision_cfg", "text_cfg")})
    for key, part in parts.items():
        if not isinstance(part, dict):
            raise ModelError(f"The open_clip model file {path} has {key}: {part!r}, which must be an object {{...}}.")
    for key in ("mean", "std"):
        value = preprocess.get(key) or [0.0] * 3
        if not (isinstance(value, list) and len(value) == 3 and all(type(item) in (int, float) for item in value)):
            raise ModelError(f"The open_clip model file {path} has {key}: {value!r}, which must be three numbers.")
    return architecture, preprocess


def _from_tag(name: str, tag: str, architecture: Mapping[str, Any]) -> Source:
    if name == MINI:
        known = f"{MINI!r}, " if MINI_CLIP.is_file() else ""
        raise ModelError(
            f"The open_clip model {MINI!r} has no weights {tag!r}; set language.weights to {known}{UNTRAINED!r} or a "
            "checkpoint's path."
        )
    entry = get_pretrained_cfg(name, tag)
    if not entry:
        tags = open_clip.list_pretrained_tags_by_model(name)
        raise ModelError(
            f"The open_clip model {name} has no weights {tag!r}, and there is no such file. "
            f"Its tags: {', '.join(tags) or 'none'}. Or give a checkpoint's path, or 'untrained'."
        )
    try:
        checkpoint = download_pretrained(entry)
    except Exception as error:  # hub, HTTP, file system: whatever it was, the way out is the same
        raise ModelError(_unreachable(f"{name} / {tag}", error)) from error
    # Some weights were trained with another activation than the architecture of that name has.
    quick_gelu = bool(entry.get("quick_gelu") or architecture.get("quick_gelu"))
    return Source(name, {**architecture, "quick_gelu": quick_gelu}, entry, Path(checkpoint))


def _from_hub(repository: str, filename: str | None) -> Path:
    try:
        return Path(download_pretrained_from_hf(repository, filename=filename))
    except Exception as error:  # as above
        raise ModelError(_unreachable(HUB + repository, error)) from error


def _unreachable(what: str, error: Exception) -> str:
    return (
        f"The CLIP weights {what} are not in the Hugging Face cache and cannot be fetched. Either run once with a "
        "network connection (and without HF_HUB_OFFLINE), or give the path of a checkpoint file as language.weights. "
        f"({_short(error)})"
    )


def _check_kind(name: str, architecture: Mapping[str, Any]) -> None:
    """Refuse what cannot work before anything is built or downloaded."""
    vision = architecture["vision_cfg"]
    if "timm_model_name" in vision:
        if (vision.get("timm_pool", "avg"), vision.get("timm_proj", "linear")) == ("avg", "linear"):
            return
        kind = "a different timm image tower"
    elif isinstance(vision.get("layers"), (list, tuple)):
        kind = "a ResNet image tower"
    elif vision.get("attentional_pool") or "multimodal_cfg" in architecture:
        kind = "a CoCa image tower"
    else:
        return
    raise ModelError(f"The open_clip model {name} has {kind}. {SUPPORTED}.")


def _check_tower(name: str, model: torch.nn.Module) -> None:
    tower = model.visual
    # Whatever has no maps of features has no pooling over them either.
    if isinstance(tower, TimmModel) and tower.trunk.default_cfg.get("pool_size"):
        return
    if not isinstance(tower, VisionTransformer) or not all(
        isinstance(block, ResidualAttentionBlock) for block in tower.transformer.resblocks
    ):
        raise ModelError(f"The open_clip model {name} has an image tower of custom blocks. {SUPPORTED}.")


def _tokenizer(text: Mapping[str, Any]) -> Any:
    options = {"context_length": text.get("context_length", 77), **text.get("tokenizer_kwargs", {})}
    # transformers has options that run a repository's own code.
    if unknown := options.keys() - TOKENIZER_OPTIONS:
        raise ModelError(
            f"its tokenizer_kwargs have {', '.join(sorted(unknown))}; allowed are {', '.join(TOKENIZER_OPTIONS)}."
        )
    if text.get("hf_tokenizer_name"):
        return HFTokenizer(text["hf_tokenizer_name"], tokenizer_mode=text.get("tokenizer_mode"), **options)
    return SimpleTokenizer(**options)


def _load(model: torch.nn.Module, tensors: dict[str, torch.Tensor], source: Source) -> None:
    """Fill the model; positions of another image or text size are interpolated, as open_clip does."""
    try:
        if "positional_embedding" in tensors and not hasattr(model, "positional_embedding"):
            tensors = convert_to_custom_text_state_dict(tensors)
        for name in ("logit_scale", "logit_bias"):
            if name in tensors and getattr(model, name, None) is not None:
                tensors[name] = tensors[name].reshape(getattr(model, name).shape)
        tensors.pop("text.transformer.embeddings.position_ids", None)  # stored by old versions of transformers
        resize_pos_embed(tensors, model)
        resize_text_pos_embed(tensors, model)
        model.load_state_dict(tensors, strict=True)
    except (RuntimeError, KeyError, AttributeError, ValueError) as error:
        raise ModelError(
            f"The weights {source.checkpoint} do not belong to the open_clip model {source.name}, or to another version of it; "
            "language.name and language.weights must name the same one, and mini's are of this version of the package where "
            f"language.weights is empty. ({_short(error)})"
        ) from error


def _short(error: Exception) -> str:
    text = " ".join(str(error).split()) or type(error).__name__
    return text if len(text) <= 300 else text[:300] + "..."
