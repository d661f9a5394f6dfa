"""CUDA's graphs on any machine: operations are recorded while a part runs, and done again on the same tensors.

What a GPU does not record is refused here too: reading a value back, and shapes that hang on values.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from typing import Any
from unittest import mock

import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_flatten

_READS = (
    torch.ops.aten._local_scalar_dense.default,
    torch.ops.aten.nonzero.default,
    torch.ops.aten.masked_select.default,
)


class RecordedGraph(TorchDispatchMode):
    """In place of `torch.cuda.CUDAGraph`."""

    def __init__(self) -> None:
        super().__init__()
        self._operations: list[tuple[Any, Any, Any, Any]] = []
        self.replayed = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if func in _READS:
            raise RuntimeError(f"{func} cannot be recorded")
        if func in (torch.ops.aten.index.Tensor, torch.ops.aten.index_put_.default) and any(
            each is not None and each.dtype == torch.bool for each in args[1]
        ):
            raise RuntimeError("a mask as an index cannot be recorded")
        if torch._C._dispatch_has_kernel_for_dispatch_key(func.name(), "CompositeImplicitAutograd"):
            with self:  # in inference mode such an operation comes whole
                return func.decompose(*args, **(kwargs or {}))
        result = func(*args, **(kwargs or {}))
        self._operations.append((func, args, kwargs or {}, result))
        return result

    def replay(self) -> None:
        """Do all of it again; every tensor keeps its place in memory."""
        self.replayed += 1
        for func, args, kwargs, result in self._operations:
            again = func(*args, **kwargs)
            for old, new in zip(tree_flatten(result)[0], tree_flatten(again)[0], strict=True):
                if isinstance(old, torch.Tensor) and old.data_ptr() != new.data_ptr():
                    old.copy_(new)


@contextmanager
def recorded_cuda() -> Iterator[list[RecordedGraph]]:
    """In it a `GraphedPart` records tensors of the CPU; gives its graphs."""
    made: list[RecordedGraph] = []

    def new() -> RecordedGraph:
        made.append(RecordedGraph())
        return made[-1]

    found = {
        "CUDAGraph": new,
        "graph": lambda graph, **_: graph,
        "Stream": mock.Mock(),
        "device": lambda _: nullcontext(),
        "stream": lambda _: nullcontext(),
        "current_stream": mock.Mock(),
    }
    with mock.patch.multiple(torch.cuda, **found):
        yield made
