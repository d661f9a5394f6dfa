"""Seconds by stage, true on a GPU too."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import torch


class Stopwatch:
    """Adds up time by stage.

    Waits for the GPU at both ends of a stage: else its work would be counted where the CPU happens to wait for it. That
    costs some microseconds a stage, beside a step of many milliseconds.

    Args:
        device: that computes.
        clock: seconds; by itself those that pass.
    """

    def __init__(self, device: torch.device, clock: Callable[[], float] = time.perf_counter) -> None:
        self._clock = clock
        self._cuda = device if device.type == "cuda" else None
        self.seconds: dict[str, float] = {}

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Count the block's time under this name."""
        start = self._now()
        try:
            yield
        finally:
            self.seconds[name] = self.seconds.get(name, 0.0) + self._now() - start

    def _now(self) -> float:
        if self._cuda is not None:
            torch.cuda.synchronize(self._cuda)
        return self._clock()
