"""torch's settings: the process-wide ones are kept out of our computations."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager

import torch
from torch import nn

_lock = threading.Lock()
_users: list[torch.dtype] = []
"""A default dtype for each block that runs: the caller's, which the last one to leave puts back."""


@contextmanager
def neutral_torch(inference: bool = True) -> Iterator[None]:
    """Compute as in a fresh process, whatever the caller has set: autocast, default dtype, default device, gradients.

    A default dtype that is not float32 is changed for the whole process while such blocks run: torch knows no other way.

    Args:
        inference: without autograd; False where weights are made.
    """
    with ExitStack() as stack:
        stack.enter_context(torch.inference_mode(inference))
        for device in ("cpu", "cuda"):
            if torch.is_autocast_enabled(device):
                stack.enter_context(torch.autocast(device, enabled=False))
        if torch.get_default_device().type != "cpu":
            stack.enter_context(torch.device("cpu"))
        _enter()
        stack.callback(_leave)
        yield


def computing_in(precision: torch.dtype, device: torch.device, cache: bool = True) -> AbstractContextManager[None]:
    """Autocast to a precision; without effect where that is float32. cache: of weights that were cast."""
    enabled = precision != torch.float32
    dtype = precision if enabled else torch.bfloat16
    return torch.autocast(device.type, dtype=dtype, enabled=enabled, cache_enabled=cache)


def hold_weights_in(precision: torch.dtype, model: nn.Module) -> None:
    """Hold in a precision what autocast would bring to it with every frame: weights of convolutions and linear layers.

    `computing_in` that precision gives what it gave before, but for weights that are multiplied with one another first
    (`neck`). Models that share parameters go on sharing them.
    """
    for each in model.modules():
        if isinstance(each, (nn.Linear, nn.Conv2d, nn.ConvTranspose2d)):
            for parameter in each.parameters(recurse=False):
                parameter.data = parameter.data.to(precision)


def _enter() -> None:
    with _lock:
        _users.append(_users[0] if _users else torch.get_default_dtype())
        torch.set_default_dtype(torch.float32)


def _leave() -> None:
    with _lock:
        before = _users.pop()
        if not _users:
            torch.set_default_dtype(before)
