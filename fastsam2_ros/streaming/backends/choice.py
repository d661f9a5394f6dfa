"""From `model.backend` to what computes the image encoder."""

from __future__ import annotations

from collections.abc import Mapping
from hashlib import sha256
from pathlib import Path

import torch
from sam2.modeling.sam2_base import SAM2Base

from fastsam2_ros import __version__
from fastsam2_ros.config import ModelConfig
from fastsam2_ros.errors import ModelError
from fastsam2_ros.streaming import neck
from fastsam2_ros.streaming.backends.cache import load_cached
from fastsam2_ros.streaming.backends.encoder import Exportable, ExportedEncoder, ImageEncoder, Runtime


def find_encoder(
    config: ModelConfig, model: SAM2Base, precision: torch.dtype, settings: Mapping[str, object]
) -> ImageEncoder | None:
    """The encoder of a model with its weights, on its device, exported for its image size; None: torch is to compute it.

    Args:
        config: names the backend and the model.
        model: SAM 2 with its weights.
        precision: of the encoder.
        settings: what the model was made of (`configuration.read_model`); others are another export, whatever the weights.

    Raises:
        ModelError: the backend is not installed, or cannot compute this model, in this precision, on this device.
    """
    if config.backend in ("auto", "torch"):
        return None
    if not neck.fits(model):
        raise ModelError(
            f"model.backend {config.backend} knows the necks of SAM 2's released models, and {config.name} has another one; "
            "set it to torch."
        )
    runtime = _runtime(config.backend, model.device, precision)
    side = int(model.image_size)
    about = {
        "weights": weights_digest(model),
        "settings": settings,
        "image_size": side,
        "precision": str(precision),
        "backend": runtime.version,
        "torch": torch.__version__,
        "fastsam2_ros": __version__,
    }

    def export(folder: Path) -> None:
        # Traced on the CPU, where the weights are brought by turns: an export holds no device.
        device = model.device
        try:
            with torch.no_grad():
                module = Exportable(model.to("cpu")).eval()
                runtime.export(module, torch.zeros(1, 3, side, side), folder)
        finally:
            model.to(device)

    return ExportedEncoder(load_cached(f"{Path(config.name).stem}-{runtime.name}", about, export, runtime.load))


def _runtime(backend: str, device: torch.device, precision: torch.dtype) -> Runtime:
    """Raises `ModelError` where it is not installed, or not for this device or precision."""
    on_gpu = device.type == "cuda"
    if device.type not in (("cpu",) if backend == "openvino" else ("cpu", "cuda")):
        raise ModelError(
            f"model.backend {backend} cannot be used on {device}; set it to torch, or model.device to cpu."
        )
    if precision not in ((torch.float32, torch.float16) if on_gpu else (torch.float32,)):
        able = "fp32 or fp16" if on_gpu else "fp32"
        raise ModelError(f"model.backend {backend} computes in {able} on {device}; set model.precision to that.")
    try:
        if backend == "openvino":
            from fastsam2_ros.streaming.backends.openvino_runtime import OpenvinoRuntime

            return OpenvinoRuntime()
        from fastsam2_ros.streaming.backends.onnx_runtime import OnnxRuntime

        return OnnxRuntime(device, precision == torch.float16)
    except ImportError as error:
        raise ModelError(
            f"model.backend is {backend}, which is not installed here ({error}): pip install 'fastsam2_ros[{backend}]', or "
            "set it to torch."
        ) from error


def weights_digest(model: SAM2Base) -> str:
    """SHA-256 of what an export of the encoder has in it."""
    decoder = model.sam_mask_decoder
    digest = sha256()
    for part in (model.image_encoder, decoder.conv_s0, decoder.conv_s1):
        for name, tensor in part.state_dict().items():
            digest.update(f"{name} {tuple(tensor.shape)} {tensor.dtype}".encode())
            digest.update(tensor.detach().cpu().flatten().numpy())
    return digest.hexdigest()
