"""From `model.backend` to what computes SAM 2's parts."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from hashlib import sha256
from importlib.util import find_spec
from pathlib import Path

import torch
from sam2.modeling.sam2_base import SAM2Base
from torch import nn

from fastsam2_ros import __version__
from fastsam2_ros.config import UNTRAINED, ModelConfig
from fastsam2_ros.errors import ModelError
from fastsam2_ros.streaming.backends import exportable
from fastsam2_ros.streaming.backends.cache import load_cached
from fastsam2_ros.streaming.backends.cuda_graphs import graphed_parts
from fastsam2_ros.streaming.backends.parts import ExportedParts, Runtime

_AUTO = "openvino"
"""What auto takes on a CPU, where it is there."""
_log = logging.getLogger(__name__)


def find_parts(
    config: ModelConfig, model: SAM2Base, precision: torch.dtype, settings: Mapping[str, object]
) -> ExportedParts | None:
    """A model's parts with its weights, on its device, exported for its image size; None: torch is to compute them.

    Args:
        config: names the backend and the model.
        model: SAM 2 with its weights.
        precision: of the parts.
        settings: what the model was made of (`configuration.read_model`); others are another export, whatever the weights.

    Raises:
        ModelError: the backend is not installed, or cannot compute this model, in this precision, on this device. (auto then
            is torch.)
    """
    if config.backend == "torch":
        return None
    if config.backend == "cuda_graphs":
        return _graphed(config.name, model, precision)
    if config.backend != "auto":
        return _exported(config.backend, config.name, model, precision, settings)
    # Random weights are for a try, which an export would only delay.
    untrained = config.checkpoint == UNTRAINED
    suited = model.device.type == "cpu" and exportable.fits(model)
    if untrained or not suited or find_spec(_AUTO) is None:
        return None
    try:
        return _exported(_AUTO, config.name, model, precision, settings)
    except ModelError as error:
        _log.warning("model.backend auto: torch computes all, and not %s. %s", _AUTO, error)
        return None


def _graphed(name: str, model: SAM2Base, precision: torch.dtype) -> ExportedParts:
    """See `find_parts`."""
    if model.device.type != "cuda":
        raise ModelError(
            f"model.backend cuda_graphs is for CUDA GPUs, and the model is on {model.device}; set it to auto."
        )
    _check_fits("cuda_graphs", name, model)
    return graphed_parts(model, precision)


def _check_fits(backend: str, name: str, model: SAM2Base) -> None:
    if not exportable.fits(model):
        raise ModelError(
            f"model.backend {backend} knows the necks and the memory of SAM 2's released models, and {name} has others; set it "
            "to torch."
        )


def _exported(
    backend: str, name: str, model: SAM2Base, precision: torch.dtype, settings: Mapping[str, object]
) -> ExportedParts:
    """See `find_parts`."""
    _check_fits(backend, name, model)
    runtime = _runtime(backend, model.device, precision)
    about = {
        "weights": weights_digest(model),
        "settings": settings,
        "image_size": int(model.image_size),
        "backend": runtime.version,
        "torch": torch.__version__,
        "fastsam2_ros": __version__,
        "layout": exportable.LAYOUT,
    }

    def export(folder: Path) -> None:
        # Traced on the CPU, where the weights are brought by turns: an export holds no device.
        device = model.device
        try:
            with torch.no_grad():
                for part, (module, inputs) in exportable.parts(model.to("cpu")).items():
                    runtime.export(module, inputs, folder, part)
        finally:
            model.to(device)

    def load(folder: Path) -> ExportedParts:
        return ExportedParts(*(runtime.load(folder, part) for part in ("encoder", "decoder", "memory_encoder")))

    return load_cached(f"{Path(name).stem}-{runtime.name}", about, export, load)


def _runtime(backend: str, device: torch.device, precision: torch.dtype) -> Runtime:
    """Raises `ModelError` where it is not installed, or not for this device or precision."""
    on_gpu = device.type == "cuda"
    if device.type not in (("cpu",) if backend == "openvino" else ("cpu", "cuda")):
        raise ModelError(
            f"model.backend {backend} cannot be used on {device}; set it to torch, or model.device to cpu."
        )
    other = torch.float16 if on_gpu else torch.bfloat16 if backend == "openvino" else torch.float32
    if precision not in (torch.float32, other):
        able = {torch.float32: "fp32", torch.float16: "fp32 or fp16", torch.bfloat16: "fp32 or bf16"}[other]
        raise ModelError(f"model.backend {backend} computes in {able} on {device}; set model.precision to that.")
    try:
        if backend == "openvino":
            from fastsam2_ros.streaming.backends.openvino_runtime import OpenvinoRuntime

            return OpenvinoRuntime(precision == torch.bfloat16)
        from fastsam2_ros.streaming.backends.onnx_runtime import OnnxRuntime

        return OnnxRuntime(device, precision == torch.float16)
    except ImportError as error:
        raise ModelError(
            f"model.backend is {backend}, which is not installed here ({error}): pip install 'fastsam2_ros[{backend}]', or "
            "set it to torch."
        ) from error


def weights_digest(model: nn.Module) -> str:
    """SHA-256 of a model's weights."""
    digest = sha256()
    for name, tensor in model.state_dict().items():
        digest.update(f"{name} {tuple(tensor.shape)} {tensor.dtype}".encode())
        digest.update(tensor.detach().cpu().flatten().numpy())
    return digest.hexdigest()
