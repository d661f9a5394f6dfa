"""torch's process-wide settings, kept out of our computations."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import torch


@contextmanager
def neutral_torch(inference: bool = True) -> Iterator[None]:
    """Compute as in a fresh process, whatever the caller has set: autocast, default dtype, default device, gradients.

    A default dtype that is not float32 is changed for the whole process while the block runs: torch knows no other way.

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
        if torch.get_default_dtype() != torch.float32:
            stack.callback(torch.set_default_dtype, torch.get_default_dtype())
            torch.set_default_dtype(torch.float32)
        yield
