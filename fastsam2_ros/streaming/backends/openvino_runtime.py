"""OpenVINO, for CPUs."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import openvino
import torch
from openvino.frontend import FrontEndManager
from openvino.frontend.pytorch.ts_decoder import TorchScriptPythonDecoder
from torch import Tensor, nn

_FILE = "encoder.xml"


class OpenvinoRuntime:
    """See `encoder.Runtime`."""

    name = "openvino"
    version = str(openvino.__version__)

    def export(self, module: nn.Module, image: Tensor, folder: Path) -> None:
        """See `encoder.Runtime`."""
        # Not by `openvino.convert_model`, which sends usage statistics.
        frontend = FrontEndManager().load_by_framework("pytorch")
        decoder = TorchScriptPythonDecoder(
            module, example_input=(image,)
        )  # by this name it lives until it is converted
        model = frontend.convert(frontend.load(decoder))
        model.reshape(list(image.shape))
        openvino.save_model(model, folder / _FILE, compress_to_fp16=False)

    def load(self, folder: Path) -> OpenvinoSession:
        """See `encoder.Runtime`."""
        # By itself it would take all cores, and bf16 where the CPU has it.
        settings = {"INFERENCE_PRECISION_HINT": "f32", "INFERENCE_NUM_THREADS": torch.get_num_threads()}
        return OpenvinoSession(openvino.Core().compile_model(folder / _FILE, "CPU", settings))


class OpenvinoSession:
    """See `encoder.Session`."""

    def __init__(self, compiled: Any) -> None:
        self._compiled = compiled

    def run(self, image: Tensor) -> Sequence[Tensor]:
        """See `encoder.Session`."""
        outputs = self._compiled([image.numpy()])
        return [torch.from_numpy(outputs[number]) for number in range(len(outputs))]
