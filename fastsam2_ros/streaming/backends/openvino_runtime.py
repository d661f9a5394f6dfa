"""OpenVINO, for CPUs."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import openvino
import torch
from openvino.frontend import FrontEndManager
from openvino.frontend.pytorch.ts_decoder import TorchScriptPythonDecoder
from torch import Tensor, nn


class OpenvinoRuntime:
    """See `parts.Runtime`.

    Args:
        bf16: compute in bf16 where that is faster; else in fp32 alone.
    """

    name = "openvino"
    version = str(openvino.__version__)

    def __init__(self, bf16: bool) -> None:
        self._precision = "bf16" if bf16 else "f32"

    def export(self, module: nn.Module, inputs: tuple[Tensor, ...], folder: Path, part: str) -> None:
        """See `parts.Runtime`."""
        # Not by `openvino.convert_model`, which sends usage statistics.
        frontend = FrontEndManager().load_by_framework("pytorch")
        with warnings.catch_warnings():
            # Of what tracing takes for constant: shapes, which are; and of newer ways, which OpenVINO does not read.
            warnings.simplefilter("ignore", torch.jit.TracerWarning)
            warnings.simplefilter("ignore", FutureWarning)
            decoder = TorchScriptPythonDecoder(
                module, example_input=inputs
            )  # by this name it lives until it is converted
        model = frontend.convert(frontend.load(decoder))
        model.reshape({number: openvino.PartialShape(list(each.shape)) for number, each in enumerate(inputs)})
        openvino.save_model(model, folder / f"{part}.xml", compress_to_fp16=False)

    def load(self, folder: Path, part: str) -> OpenvinoSession:
        """See `parts.Runtime`."""
        # By itself it would take all cores, and bf16 where the CPU has it.
        settings = {"INFERENCE_PRECISION_HINT": self._precision, "INFERENCE_NUM_THREADS": torch.get_num_threads()}
        return OpenvinoSession(openvino.Core().compile_model(folder / f"{part}.xml", "CPU", settings))


class OpenvinoSession:
    """See `parts.Session`."""

    def __init__(self, compiled: Any) -> None:
        self._compiled = compiled

    def run(self, *inputs: Tensor) -> Sequence[Tensor]:
        """See `parts.Session`."""
        outputs = self._compiled([each.contiguous().numpy() for each in inputs])
        return [torch.from_numpy(outputs[number]) for number in range(len(outputs))]
