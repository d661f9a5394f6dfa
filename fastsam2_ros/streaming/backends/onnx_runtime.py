"""ONNX Runtime: its own kernels on CPUs; on NVIDIA's GPUs TensorRT, or CUDA where that is missing.

The GPU's part was written without one at hand, and has not been run.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import onnxscript  # noqa: F401  # torch exports by it; told here where it is missing
import torch
from torch import Tensor, nn

from fastsam2_ros.errors import ModelError

_ON_GPU = ("TensorrtExecutionProvider", "CUDAExecutionProvider")


class OnnxRuntime:
    """See `parts.Runtime`.

    Args:
        device: where the model is.
        half: compute in fp16 where TensorRT can.

    Raises:
        ModelError: a GPU, and an onnxruntime that was built for none.
    """

    name = "onnxruntime"
    version = str(onnxruntime.__version__)

    def __init__(self, device: torch.device, half: bool) -> None:
        self._device, self._half = device, half
        if device.type == "cuda" and not self._gpu_providers():
            raise ModelError(
                "This onnxruntime is built without CUDA and TensorRT: pip install onnxruntime-gpu, or set model.backend to "
                "torch."
            )

    def export(self, module: nn.Module, inputs: tuple[Tensor, ...], folder: Path, part: str) -> None:
        """See `parts.Runtime`."""
        torch.onnx.export(module, inputs, folder / f"{part}.onnx", dynamo=True, external_data=False, verbose=False)

    def load(self, folder: Path, part: str) -> OnnxSession:
        """See `parts.Runtime`."""
        options = onnxruntime.SessionOptions()
        options.log_severity_level = 3  # errors
        options.intra_op_num_threads = torch.get_num_threads()
        providers: list[Any] = ["CPUExecutionProvider"]
        if self._device.type == "cuda":
            index = self._device.index or 0
            own = {
                # TensorRT builds its engine with the first image, for minutes; it is kept beside the export.
                "TensorrtExecutionProvider": {
                    "device_id": index,
                    "trt_fp16_enable": self._half,
                    "trt_engine_cache_enable": True,
                    "trt_engine_cache_path": str(folder),
                },
                "CUDAExecutionProvider": {"device_id": index},
            }
            providers = [*((name, own[name]) for name in self._gpu_providers()), *providers]
        file = str(folder / f"{part}.onnx")
        return OnnxSession(onnxruntime.InferenceSession(file, options, providers), self._device)

    @staticmethod
    def _gpu_providers() -> list[str]:
        there = onnxruntime.get_available_providers()
        return [name for name in _ON_GPU if name in there]


class OnnxSession:
    """See `parts.Session`."""

    def __init__(self, session: Any, device: torch.device) -> None:
        self._session, self._device = session, device
        self._inputs = [each.name for each in session.get_inputs()]
        self._outputs = [(each.name, each.shape) for each in session.get_outputs()]

    def run(self, *inputs: Tensor) -> Sequence[Tensor]:
        """See `parts.Session`."""
        if self._device.type == "cuda":
            return self._on_gpu([each.contiguous() for each in inputs])
        arrays = dict(zip(self._inputs, (each.contiguous().numpy() for each in inputs), strict=True))
        return [torch.from_numpy(output) for output in self._session.run(None, arrays)]

    def _on_gpu(self, inputs: Sequence[Tensor]) -> list[Tensor]:
        """From the GPU's memory to the GPU's memory."""
        binding, index = self._session.io_binding(), self._device.index or 0
        outputs = [torch.empty(shape, dtype=torch.float32, device=self._device) for _, shape in self._outputs]
        for name, each in zip(self._inputs, inputs, strict=True):
            binding.bind_input(name, "cuda", index, np.float32, tuple(each.shape), each.data_ptr())
        for (name, shape), output in zip(self._outputs, outputs, strict=True):
            binding.bind_output(name, "cuda", index, np.float32, tuple(shape), output.data_ptr())
        torch.cuda.current_stream(self._device).synchronize()  # onnxruntime has a stream of its own
        self._session.run_with_iobinding(binding)
        binding.synchronize_outputs()
        return outputs
