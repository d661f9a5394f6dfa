"""Seconds by stage, true on a GPU too."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch


class Stopwatch:
    """Adds up time by stage.

    On a GPU marks go into its queue of work and are read at the end, so that nothing waits for it meanwhile: else its work
    would be counted where the CPU happens to wait.

    Args:
        device: that computes.
        clock: seconds; by itself those that pass. For any other one the GPU is waited for at both ends of a stage.
    """

    def __init__(self, device: torch.device, clock: Callable[[], float] = time.perf_counter) -> None:
        self._clock = clock
        self._cuda = device if device.type == "cuda" else None
        self._by_events = self._cuda is not None and clock is time.perf_counter
        self._added: dict[str, float] = {}
        self._marks: list[tuple[str, Any, Any]] = []

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Count the block's time under this name."""
        start = self._mark()
        self._added.setdefault(name, 0.0)
        try:
            yield
        finally:
            self._marks.append((name, start, self._mark()))

    def add(self, name: str, seconds: float) -> None:
        """Count time that was measured elsewhere."""
        self._added[name] = self._added.get(name, 0.0) + seconds

    def seconds(self) -> dict[str, float]:
        """By stage, in the order in which they began. Waits for the GPU, once."""
        if self._by_events:
            torch.cuda.synchronize(self._cuda)
        for name, start, end in self._marks:
            self.add(name, start.elapsed_time(end) / 1000 if self._by_events else end - start)
        self._marks.clear()
        return dict(self._added)

    def _mark(self) -> Any:
        if not self._by_events:
            if self._cuda is not None:
                torch.cuda.synchronize(self._cuda)
            return self._clock()
        event = torch.cuda.Event(enable_timing=True)
        event.record(torch.cuda.current_stream(self._cuda))
        return event
