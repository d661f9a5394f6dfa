"""CUDA tensors on any machine: torch's own fake ones, which know what may meet on a device, with values beside them.

Every operation is done twice: by `FakeTensorMode`, which refuses a mixture of devices as a GPU does and says where the
result is, and on the CPU, so that what has to read a value gets the right one.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any
from unittest import mock

import torch
from torch._subclasses.fake_tensor import (
    DataDependentOutputException,
    DynamicOutputShapeException,
    FakeTensor,
    FakeTensorMode,
)
from torch.utils._pytree import tree_flatten, tree_map, tree_unflatten

from fastsam2_ros.streaming import shares

CUDA = torch.device("cuda", 0)
_INDEXING = (torch.ops.aten.index.Tensor, torch.ops.aten.index_put.default, torch.ops.aten.index_put_.default)


class _PretendedCuda(FakeTensorMode):
    """Tensors on `CUDA` are fake and carry a `value` on the CPU; tensors on the CPU are ordinary ones."""

    avoid_device_init = True  # also where CUDA is said to be available
    _judging = False

    def __torch_dispatch__(
        self, func: Any, types: Sequence[type], args: Sequence[Any] = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        if self._judging or func is torch.ops.prim.device.default:  # a part of an operation, without a value
            return super().__torch_dispatch__(func, types, args, kwargs or {})
        if func in (torch.ops.aten.pin_memory.default, torch.ops.aten._pin_memory.default):  # needs a driver
            return args[0].clone()
        flat, spec = tree_flatten((tuple(args), dict(kwargs or {})))
        if not any(_is_on_cuda(each) for each in flat):
            return func(*args, **(kwargs or {}))
        if torch._C._dispatch_has_kernel_for_dispatch_key(func.name(), "CompositeImplicitAutograd"):
            with self:  # in inference mode such an operation comes whole
                return func.decompose(*args, **(kwargs or {}))
        if func in _INDEXING and _is_plain(args[0]):
            raise RuntimeError("indices on a GPU of a tensor on another device")  # which FakeTensorMode lets through
        values = tree_unflatten([_on_cpu(each) for each in flat], spec)
        if func is torch.ops.aten._local_scalar_dense.default:
            return func(*values[0], **values[1])
        self._judging = True
        try:
            told = super().__torch_dispatch__(func, types, args, kwargs or {})
        except (DynamicOutputShapeException, DataDependentOutputException):
            # The result's shape or value hangs on values: only where it is can be told.
            FakeTensor._find_common_device(func, [self.from_tensor(x) if _is_plain(x) else x for x in flat])
            told = None
        finally:
            self._judging = False
        result = func(*values[0], **values[1])
        if told is None:
            return tree_map(self._beside, result)
        pairs = zip(tree_flatten(told)[0], tree_flatten(result)[0], strict=True)
        return tree_unflatten([self._joined(fake, value) for fake, value in pairs], tree_flatten(result)[1])

    def _joined(self, fake: Any, value: Any) -> Any:
        """The fake tensor with its value; what is on the CPU is the value itself."""
        if not isinstance(fake, FakeTensor) or not isinstance(value, torch.Tensor) or fake.device.type == "cpu":
            return value
        assert fake.dtype == value.dtype
        if fake.shape != value.shape:  # a batch norm's statistics, where it does not train
            return self._beside(value)
        fake.value = value
        return fake

    def _beside(self, value: Any) -> Any:
        if not isinstance(value, torch.Tensor):
            return value
        return self._joined(FakeTensor(self, torch.empty_like(value, device="meta"), CUDA), value)


def _is_plain(each: Any) -> bool:
    return isinstance(each, torch.Tensor) and not isinstance(each, FakeTensor)


def _is_on_cuda(each: Any) -> bool:
    return isinstance(each, FakeTensor) or (isinstance(each, torch.device) and each.type == "cuda")


def _on_cpu(each: Any) -> Any:
    if isinstance(each, FakeTensor):
        return each.value
    return torch.device("cpu") if _is_on_cuda(each) else each


_MODE = _PretendedCuda(
    allow_non_fake_inputs=True
)  # one: what fake tensors are cached in the package would not fit another


@contextmanager
def pretended_cuda() -> Iterator[torch.device]:
    """In it `torch.device("cuda")` can be used as if there were a GPU that has bf16."""
    found = {
        "torch.cuda.is_available": True,
        "torch.cuda.device_count": 1,
        "torch.cuda.is_bf16_supported": True,
        "torch.cuda.synchronize": None,
        "torch.cuda.current_stream": None,
        "torch.cuda.Event": mock.Mock(**{"elapsed_time.return_value": 0.0}),
        "torch.cuda.amp.common.amp_definitely_not_available": False,
    }
    _forget_cached()
    # Without cuDNN operations are those that the CPU has too.
    with _patched(found), torch.backends.cudnn.flags(enabled=False), _MODE:
        yield CUDA
    _forget_cached()


def _forget_cached() -> None:
    for each in vars(shares).values():
        if hasattr(each, "cache_clear"):
            each.cache_clear()


@contextmanager
def _patched(found: Mapping[str, Any]) -> Iterator[None]:
    patches = [mock.patch(name, return_value=value) for name, value in found.items()]
    for each in patches:
        each.start()
    try:
        yield
    finally:
        for each in patches:
            each.stop()


def devices(value: Any) -> set[str]:
    """Where the tensors are that something holds: a tensor, a module, an object of the package, or a collection of them."""
    return {tensor.device.type for tensor in _tensors(value)}


def _tensors(value: Any) -> Iterator[torch.Tensor]:
    if isinstance(value, torch.Tensor):
        yield value
    elif isinstance(value, torch.nn.Module):
        yield from (*value.parameters(), *value.buffers())
    elif isinstance(value, Mapping):
        yield from _tensors(list(value.values()))
    elif isinstance(value, (list, tuple, set, deque)):
        for each in value:
            yield from _tensors(each)
    elif type(value).__module__.startswith("fastsam2_ros"):
        yield from _tensors(getattr(value, "__dict__", {}))
