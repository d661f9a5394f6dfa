"""From a `ModelConfig` to SAM 2 with weights, on its device. Weights never execute code."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from sam2.modeling.sam2_base import SAM2Base
from torch import Tensor

from fastsam2_ros.config import MODELS, UNTRAINED, ModelConfig
from fastsam2_ros.errors import ModelError, first_line
from fastsam2_ros.streaming import cpu_features
from fastsam2_ros.streaming.backends.choice import find_parts
from fastsam2_ros.streaming.boxes import END_AT_BOXES
from fastsam2_ros.streaming.checkpoints import HUB_IDS, find_checkpoint
from fastsam2_ros.streaming.configuration import read_model
from fastsam2_ros.streaming.model import StreamingSam2
from fastsam2_ros.torch_settings import hold_weights_in
from fastsam2_ros.weights import read_tensors

_MINI = Path(__file__).with_name("mini.yaml")
SMALLEST, STEP = 256, 32
"""Of `ModelConfig.image_size`, pixels."""
_TRUNKS = {(96, 12): "tiny", (96, 16): "small", (112, 24): "base_plus", (144, 48): "large"}
#: What upstream's `build_sam2_video_predictor` sets with `apply_postprocessing`, but for the hole filling, which needs its
#: CUDA extension and which it skips without a word where that is missing.
_POSTPROCESSING = {
    "sam_mask_decoder_extra_args": {
        "dynamic_multimask_via_stability": True,
        "dynamic_multimask_stability_delta": 0.05,
        "dynamic_multimask_stability_thresh": 0.98,
    },
    "binarize_mask_from_pts_for_mem_enc": True,
}
_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class LoadedSam2:
    """A model that is ready to stream.

    Attributes:
        streaming: SAM 2.
        untrained: its weights are random.
        small: the same weights for frames of `ModelConfig.small_image_size`; None: there is no such size.
    """

    streaming: StreamingSam2
    untrained: bool
    small: StreamingSam2 | None = None

    @property
    def small_side(self) -> float:
        """Side of a small frame over that of a large one, (0, 1]; 1: there are no small ones."""
        return 1.0 if self.small is None else self.small.grid[0] / self.streaming.grid[0]


def load_sam2(config: ModelConfig) -> LoadedSam2:
    """Build SAM 2 and load its weights.

    Raises:
        ModelError: configuration, weights or device cannot be had, with what to do about it.
    """
    device = find_device(config.device)
    precision = find_precision(config.precision, device)
    untrained = config.checkpoint == UNTRAINED
    file = find_config(config.name)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(config.seed)
        model = build(file, sized(config.image_size))
        small_overrides = _small_overrides(config, model)
        small = build(file, small_overrides) if small_overrides else None
    if untrained:
        make_visible(model)
        _log.warning("SAM 2 '%s' has random weights: its masks mean nothing.", config.name)
    else:
        path = find_checkpoint(config)
        load_weights(model, path, config.name)
    model = model.to(device)

    def streaming(model: SAM2Base, overrides: dict[str, int]) -> StreamingSam2:
        parts = find_parts(config, model, exported_precision(config, precision), read_model(file, overrides))
        # What is left to torch: its own bf16 is slow on a CPU.
        rest = torch.float32 if parts is not None and device.type == "cpu" else precision
        return StreamingSam2(model, rest, config.max_prompt_frames, config.memory_frames, parts=parts)

    large, smaller = streaming(model, sized(config.image_size)), None
    if small is not None:
        # One set of weights: the parameters themselves, which an export of either may move to and fro.
        small.load_state_dict(model.state_dict(keep_vars=True), assign=True)
        smaller = streaming(small.to(device), small_overrides)
    if large.precision != torch.float32:
        hold_weights_in(large.precision, model)
    return LoadedSam2(large, untrained, smaller)


def _small_overrides(config: ModelConfig, model: SAM2Base) -> dict[str, int]:
    """What `build` overrides for small frames; empty where there are none.

    Raises:
        ModelError: not such a size.
    """
    overrides = sized(config.small_image_size, "small_image_size")
    if config.small_image_size >= model.image_size:
        raise ModelError(
            f"model.small_image_size is {config.small_image_size}; it must be below the image size, {model.image_size}, or 0."
        )
    return overrides


def sized(side: int, name: str = "image_size") -> dict[str, int]:
    """What `build` overrides for an image size. No tensor depends on it: the same weights are good for every size.

    Args:
        side: pixels; 0: the model's own.
        name: of the setting that it is.

    Raises:
        ModelError: not such a size.
    """
    if side and (side < SMALLEST or side % STEP):
        raise ModelError(
            f"model.{name} is {side}; it must be 0 or a multiple of {STEP} from {SMALLEST} on, since the coarsest map of "
            f"the image encoder has a stride of {STEP} pixels."
        )
    return {"image_size": side} if side else {}


def find_device(name: str) -> torch.device:
    """The torch device of a name; 'auto' is CUDA where there is one.

    Raises:
        ModelError: no such device here.
    """
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        device = torch.device(name)
    except RuntimeError as error:
        raise ModelError(f"model.device is {name!r}, which is no torch device; take auto, cpu or cuda.") from error
    if device.type == "cuda" and not torch.cuda.is_available():
        raise ModelError(
            f"model.device is {name!r}, but torch {torch.__version__} finds no CUDA GPU. "
            "Check the driver with nvidia-smi, install a CUDA build of torch, or set model.device to cpu."
        )
    if device.type == "cuda" and (device.index or 0) >= torch.cuda.device_count():
        raise ModelError(
            f"model.device is {name!r}, but there are {torch.cuda.device_count()} CUDA GPUs, from cuda:0 on."
        )
    try:
        torch.zeros(1, device=device).item()
    except Exception as error:  # meta, mps, xla ...: each refuses in its own way
        raise ModelError(
            f"model.device is {name!r}, which cannot be used here ({first_line(error)}); take cpu."
        ) from error
    return device


def find_precision(name: str, device: torch.device) -> torch.dtype:
    """torch.float32, torch.bfloat16 or torch.float16.

    'auto' is bf16 on a GPU that has it, else fp32. It is never fp16, which ends at 65,504: the released weights were trained
    with bf16, and whether all of their activations stay below that has not been measured. Whoever asks for it should compare.

    Raises:
        ModelError: bf16 asked for on a GPU or CPU that lacks it, or fp16 where there is no GPU.
    """
    on_gpu = device.type == "cuda"
    has_bf16 = not on_gpu or torch.cuda.is_bf16_supported(including_emulation=False)
    if name == "bf16" and not has_bf16:
        raise ModelError(
            f"model.precision is bf16, which {torch.cuda.get_device_name(device)} lacks; set it to fp16 or fp32."
        )
    if name == "bf16" and device.type == "cpu" and not cpu_features.has_bf16():
        raise ModelError(
            "model.precision is bf16, which this CPU lacks: torch would take ten times as long as with fp32. Set it to fp32 "
            "or auto."
        )
    if name == "fp16" and not on_gpu:
        raise ModelError(
            f"model.precision is fp16, which is for GPUs: on {device.type} it is slower than fp32. Set it to fp32 or auto."
        )
    if name == "fp16":
        return torch.float16
    if name == "bf16" or (name == "auto" and on_gpu and has_bf16):
        return torch.bfloat16
    return torch.float32


def exported_precision(config: ModelConfig, precision: torch.dtype) -> torch.dtype:
    """That of the parts which a backend computes.

    OpenVINO's image encoder takes half as long in bf16 where the CPU has it, and masks and finds are as good
    (docs/performance.md).

    Args:
        config: settings.
        precision: of `find_precision`, which is what torch computes in.
    """
    able = config.backend in ("auto", "openvino") and cpu_features.openvino_has_bf16()
    return torch.bfloat16 if config.precision == "auto" and precision == torch.float32 and able else precision


def find_config(name: str) -> Path:
    """The sam2 YAML configuration of a model's name, or of a path.

    Raises:
        ModelError: neither a known name nor a file.
    """
    if name == "mini":
        return _MINI
    if name in HUB_IDS:
        import sam2
        from sam2.build_sam import HF_MODEL_ID_TO_FILENAMES

        return Path(sam2.__path__[0]) / HF_MODEL_ID_TO_FILENAMES[HUB_IDS[name]][0]
    if Path(name).is_file():
        return Path(name)
    raise ModelError(
        f"There is no SAM 2 model {name!r}; take one of {', '.join(MODELS)}, or the path of a sam2 YAML file."
    )


def build(config_file: Path, overrides: Mapping[str, Any] | None = None) -> SAM2Base:
    """A SAM 2 with random weights, in evaluation mode, on the CPU.

    Args:
        config_file: sam2's YAML form; beside its settings, `masks_end_at_boxes` is this package's own (`boxes`).
        overrides: further settings of its `model` part; `_target_` for one of upstream's predictor classes.

    Raises:
        ModelError: not a sam2 configuration, or one that would make other things than SAM 2's parts.
    """
    from hydra.utils import instantiate

    settings = read_model(config_file, {**_POSTPROCESSING, **(overrides or {})})
    end_at_boxes = bool(settings.pop(END_AT_BOXES, False))
    try:
        model = instantiate(settings, _recursive_=True)
    except Exception as error:  # a third party's constructors: anything may be wrong with their values
        raise ModelError(f"{config_file} is not a sam2 model configuration: {' '.join(str(error).split())}") from error
    if not isinstance(model, SAM2Base):
        raise ModelError(
            f"{config_file} describes a {type(model).__name__}, not a SAM 2 (sam2.modeling.sam2_base.SAM2Base)."
        )
    setattr(model, END_AT_BOXES, end_at_boxes)
    return model.eval()


def load_weights(model: SAM2Base, path: Path, name: str) -> None:
    """Load a .pt or .safetensors file of exactly this model's tensors.

    Raises:
        ModelError: damaged, or of another model.
    """
    state = read_tensors(path)
    own = model.state_dict()
    missing = sorted(own.keys() - state.keys())
    unknown = sorted(state.keys() - own.keys())
    other_shape = [key for key in own.keys() & state.keys() if own[key].shape != state[key].shape]
    if missing or unknown or other_shape:
        looks_like = _guess(state)
        hint = f" It looks like '{looks_like}': set model.name to that." if looks_like not in (None, name) else ""
        example = sorted(other_shape)[:1] or missing[:1] or unknown[:1]
        raise ModelError(
            f"{path} is not a checkpoint of SAM 2 '{name}': {len(missing)} tensors are missing, {len(unknown)} unknown and "
            f"{len(other_shape)} of another shape, such as {example[0]}.{hint}"
        )
    model.load_state_dict(state)


def _guess(state: dict[str, Tensor]) -> str | None:
    """Which of the known models these tensors belong to: mini has a timm trunk, the others differ in width and depth of it."""
    if any(key.startswith("image_encoder.trunk.model.") for key in state):
        return "mini"
    first = state.get("image_encoder.trunk.patch_embed.proj.weight")
    prefix = "image_encoder.trunk.blocks."
    depth = len({key[len(prefix) :].split(".")[0] for key in state if key.startswith(prefix)})
    return None if first is None else _TRUNKS.get((first.shape[0], depth))


def make_visible(model: SAM2Base) -> None:
    """Let an untrained model judge targets to be visible and masks to be good, so that every stage has something to do."""
    for head in (model.sam_mask_decoder.pred_obj_score_head, model.sam_mask_decoder.iou_prediction_head):
        last = head.layers[-1] if hasattr(head, "layers") else head
        torch.nn.init.constant_(last.bias, 3.0)
