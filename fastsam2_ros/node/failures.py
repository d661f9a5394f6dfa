"""Which errors pass, and which only a new process ends."""

from __future__ import annotations

import gc
import sys
from collections.abc import Callable, Iterator

_CUDA = ("CUDA error", "HIP error", "device-side assert", "cuDNN error", "CUDNN_STATUS", "CUBLAS_STATUS")
_MEMORY = ("out of memory", "ALLOC_FAILED")


def device_answers(device: str) -> bool:
    """Whether a CUDA device still finishes what it is given.

    Args:
        device: torch's name of it, such as cuda:0.
    """
    import torch

    try:
        torch.cuda.synchronize(device)
    except Exception:
        return False
    return True


def is_lasting(error: BaseException, device: str, answers: Callable[[str], bool] = device_answers) -> bool:
    """Whether every later step will fail as this one did, so that the process has to be started anew.

    CUDA keeps some errors (a device-side assert, an illegal address, a device that is gone) until the process ends, and
    gives them to every later call. It is such a one where the error, or one that led to it, names CUDA, is not about
    memory, and the device does not even answer any more. A kernel that was called wrongly leaves a device that does.

    Args:
        error: what a step raised.
        device: torch's name of the tracker's device; on cpu no error is of this kind.
        answers: see `device_answers`.
    """
    if not device.startswith("cuda") or is_out_of_memory(error):
        return False
    named = any(
        type(each).__name__ == "AcceleratorError" or any(word in str(each) for word in _CUDA) for each in _chain(error)
    )
    return named and not answers(device)


def is_out_of_memory(error: BaseException) -> bool:
    """Whether memory was short, of the device or of the machine: the next step may well go through."""
    return any(
        isinstance(each, MemoryError)
        or type(each).__name__ == "OutOfMemoryError"
        or any(word in str(each) for word in _MEMORY)
        for each in _chain(error)
    )


def give_memory_back() -> None:
    """Collect what nobody refers to, and give what CUDA's allocator keeps for later back to the device."""
    gc.collect()
    torch = sys.modules.get("torch")
    if torch is not None and torch.cuda.is_initialized():
        torch.cuda.empty_cache()


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    seen: set[int] = set()
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        yield error
        error = error.__cause__ or error.__context__
