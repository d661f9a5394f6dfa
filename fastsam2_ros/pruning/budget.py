"""From motion, size, certainty and deadline to the share of tokens that a target gets in a frame."""

from __future__ import annotations

import math

from fastsam2_ros.config import PruningConfig
from fastsam2_ros.streaming.shares import ratio_for

BUDGET_OPTIONS = ("min_keep_ratio", "max_keep_ratio", "full_motion", "fall_seconds", "target_rate")
"""Of `PruningConfig`: those that a fixed `keep_ratio` switches off."""
BUCKETS = (0.05, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.7, 0.85, 1.0)
"""Shares that the budget gives: few, so that compiled code and memory layouts are used again."""
ROOM = 1.5
"""Queries that a target gets at least, for each token that it covers: its border and what is round it count too."""


class Budget:
    """One target's: rises at once, falls slowly, is forced to the ceiling while the target is uncertain.

    A fixed `keep_ratio` switches all of that off, as in arXiv 2512.21333.
    """

    def __init__(self, config: PruningConfig) -> None:
        self.config = config
        self._level = config.max_keep_ratio

    def update(
        self, magnitude: float, seconds: float, uncertain: bool, ceiling: float = 1.0, size: float = 0.0
    ) -> float:
        """The share of tokens for this frame.

        Args:
            magnitude: `Motion.magnitude_of` the target, per second, not negative.
            seconds: since the last frame.
            uncertain: the target is new, or its mask is doubted.
            ceiling: what `Deadline` allows.
            size: share of the frame that the target covers, [0, 1]. Where there are fewer queries than that, a mask
                crumbles: what it asks for may lie above the configuration's ceiling, which is that of motion and doubt.

        Returns:
            (0, 1], one of `BUCKETS` (the bounds of the configuration count as buckets too), or the fixed ratio.
        """
        config = self.config
        if config.keep_ratio > 0:
            return config.keep_ratio
        low, high = config.min_keep_ratio, config.max_keep_ratio
        share = min(1.0, magnitude / config.full_motion) if math.isfinite(magnitude) else 1.0
        room = ratio_for(min(1.0, ROOM * size), config.query_exponent)
        demand = max(room, high if uncertain else low + (high - low) * share)
        fall = max(high, self._level) - low
        if config.fall_seconds > 0:
            fall *= max(0.0, seconds) / config.fall_seconds
        self._level = max(demand, self._level - fall, low)
        return self._bucket(min(self._level, ceiling))

    def _bucket(self, level: float) -> float:
        """The bucket nearest to `level` from the floor on; of two the larger. The bounds count as buckets too.

        The nearest, not the next above: flow is never quite zero, and noise must not lift a still target off the floor.
        """
        low, high = self.config.min_keep_ratio, self.config.max_keep_ratio
        buckets = (low, high, *(share for share in BUCKETS if share > low))
        return min(buckets, key=lambda share: (abs(share - level), -share))


class Deadline:
    """The most that the time of the steps allows every target: steps take as long as all targets together."""

    def __init__(self, config: PruningConfig) -> None:
        self.config = config
        self._ceiling = 1.0

    def update(self, step_seconds: float, highest: float = 1.0) -> float:
        """The ceiling for this frame: sinks by a tenth while steps are late, recovers by a fiftieth.

        Args:
            step_seconds: what the last step took; 0: not known.
            highest: (0, 1], the largest share that a target had in it. A late step lowers the ceiling below that at once.

        Returns:
            between `min_keep_ratio` and 1.
        """
        config = self.config
        if config.target_rate > 0 and step_seconds > 0:
            late = step_seconds > 1 / config.target_rate
            ceiling = 0.9 * min(self._ceiling, highest) if late else 1.02 * self._ceiling
            self._ceiling = min(1.0, max(config.min_keep_ratio, ceiling))
        return self._ceiling
