"""CUDA graphs: torch's own work on a GPU, recorded once and started at once, in place of a launch for each of its operations.

Written without a GPU at hand: what is recorded was tried with a recorder that stands in for CUDA's, and has not been run.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence

import torch
from sam2.modeling.sam2_base import SAM2Base
from torch import Tensor, nn

from fastsam2_ros.streaming.backends import exportable
from fastsam2_ros.streaming.backends.parts import ExportedParts
from fastsam2_ros.torch_settings import computing_in

_RECORDING = threading.Lock()
"""CUDA can record one graph at a time in a process."""
WARM_UP = 3
"""Times that a part runs before it is recorded, so that libraries have chosen their algorithms and made their workspaces."""


def graphed_parts(model: SAM2Base, precision: torch.dtype) -> ExportedParts:
    """A model's parts on its GPU. Each is recorded in its first run: at best in `TextTracker.warm_up`."""
    modules = exportable.parts(model)
    return ExportedParts(
        *(GraphedPart(modules[part][0], precision) for part in ("encoder", "decoder", "memory_encoder"))
    )


class GraphedPart:
    """See `parts.Session`; outputs have the type that torch gives them.

    Args:
        module: that always does the same operations, and reads no value back.
        precision: that it computes in.
    """

    def __init__(self, module: nn.Module, precision: torch.dtype) -> None:
        self._module, self._precision = module, precision
        self._graph: torch.cuda.CUDAGraph | None = None
        self._inputs: list[Tensor] = []
        self._outputs: Sequence[Tensor] = ()
        self._lock = threading.Lock()

    def run(self, *inputs: Tensor) -> Sequence[Tensor]:
        """See `parts.Session`. Inputs have the shapes, types and device of the first ones."""
        with self._lock:  # inputs and outputs have one place each
            if self._graph is None:
                with _RECORDING, torch.cuda.device(inputs[0].device):
                    self._graph = self._record(inputs)
            for own, given in zip(self._inputs, inputs, strict=True):
                own.copy_(given)
            self._graph.replay()
            return [each.clone() for each in self._outputs]

    def _record(self, inputs: Sequence[Tensor]) -> torch.cuda.CUDAGraph:
        device = inputs[0].device
        self._inputs = [each.clone() for each in inputs]
        stream = torch.cuda.Stream(device)
        stream.wait_stream(torch.cuda.current_stream(device))
        with torch.cuda.stream(stream):
            for _ in range(WARM_UP):
                self._compute()
        torch.cuda.current_stream(device).wait_stream(stream)
        graph = torch.cuda.CUDAGraph()
        # Other threads may go on allocating memory.
        with torch.cuda.graph(graph, stream=stream, capture_error_mode="thread_local"):
            self._outputs = self._compute()
        return graph

    def _compute(self) -> Sequence[Tensor]:
        # Each time by itself, and not in a caller's: what that would keep of casts is gone when the graph is replayed.
        with computing_in(self._precision, self._inputs[0].device, cache=False):
            outputs = self._module(*self._inputs)
        return [outputs] if isinstance(outputs, Tensor) else list(outputs)
