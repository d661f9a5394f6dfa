"""OpenVINO, for CPUs."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
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
        bf16: compute the image encoder in bf16 where that is faster. Mask decoder and memory encoder stay in fp32: their
            outputs go round from frame to frame, and in bf16 targets were lost.
    """

    name = "openvino"
    version = str(openvino.__version__)

    def __init__(self, bf16: bool) -> None:
        self._bf16 = bf16

    def export(self, module: nn.Module, inputs: tuple[Tensor, ...], folder: Path, part: str) -> None:
        """See `parts.Runtime`."""
        # Not by `openvino.convert_model`, which sends usage statistics.
        frontend = FrontEndManager().load_by_framework("pytorch")
        with warnings.catch_warnings():
            # Of what tracing takes for constant: shapes, which are; and of newer ways, which OpenVINO does not read.
            warnings.simplefilter("ignore", torch.jit.TracerWarning)
            warnings.simplefilter("ignore", FutureWarning)
            # By this name it lives until it is converted.
            decoder = TorchScriptPythonDecoder(module, example_input=inputs)
        model = frontend.convert(frontend.load(decoder))
        model.reshape({number: openvino.PartialShape(list(each.shape)) for number, each in enumerate(inputs)})
        openvino.save_model(model, folder / f"{part}.xml", compress_to_fp16=False)

    def load(self, folder: Path, part: str) -> OpenvinoSession:
        """See `parts.Runtime`."""
        # By itself it would take all cores, and bf16 where the CPU has it; and bind its threads to the first cores, where those
        # of other processes are bound too.
        precision = "bf16" if self._bf16 and part == "encoder" else "f32"
        settings = {
            "INFERENCE_PRECISION_HINT": precision,
            "INFERENCE_NUM_THREADS": torch.get_num_threads(),
            "ENABLE_CPU_PINNING": False,
        }
        # Its CPU plug-in gives the thread that loads it a stack for signals, and takes it back with the last model: a signal
        # that the main thread gets after that would end the process. So another thread has to have it.
        with ThreadPoolExecutor(1) as thread:
            compiled = thread.submit(lambda: openvino.Core().compile_model(folder / f"{part}.xml", "CPU", settings))
            return OpenvinoSession(compiled.result())


class OpenvinoSession:
    """See `parts.Session`."""

    def __init__(self, compiled: Any) -> None:
        self._compiled = compiled

    def run(self, *inputs: Tensor) -> Sequence[Tensor]:
        """See `parts.Session`."""
        outputs = self._compiled([each.contiguous().numpy() for each in inputs])
        return [torch.from_numpy(outputs[number]) for number in range(len(outputs))]
