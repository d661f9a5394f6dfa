"""What all parts of the node have to know of it."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from fastsam2_ros.config import TrackerConfig
from fastsam2_ros.node.parameters import NodeConfig


@dataclass
class NodeState:
    """Settings, life cycle and speed of the node.

    Attributes:
        config: the core's settings.
        own: the node's.
        phase: state of the life cycle.
        slowest: seconds in the slowest callback of the executor.
    """

    config: TrackerConfig
    own: NodeConfig
    phase: str = "unconfigured"
    slowest: float = 0.0

    @contextmanager
    def timed(self) -> Iterator[None]:
        """A callback of the executor."""
        started = time.perf_counter()
        yield
        self.slowest = max(self.slowest, time.perf_counter() - started)
