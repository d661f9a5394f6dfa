"""From motion, size, certainty and deadline to the keep ratio that a target gets in a frame."""

from __future__ import annotations

import math

from fastsam2_ros.config import PruningConfig
from fastsam2_ros.streaming.shares import SMALL_KEEP_RATIO, SMALL_MEMORY_FACTOR, memory_ratio_for

BUDGET_OPTIONS = ("min_keep_ratio", "max_keep_ratio", "full_motion", "fall_seconds", "target_rate", "memory_interval")
"""Of `PruningConfig`: those that a fixed `keep_ratio` switches off."""
STEPS = (0.05, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.7, 0.85, 1.0)
"""Levels (`level_of`) that the budget takes: few, so that compiled code and memory layouts are used again."""
ROOM = 1.5
"""Queries that a target gets at least, for each token that it covers: its border and what is round it count too."""
WINDOW = 20
"""Steps of which one may be late."""
LEAST_LEFT, MOST_LEFT = 0.5, 0.9
"""Share of the ceiling that a late step leaves, whatever it took."""
MOST_TRIES = 6
"""After so many failed tries, in a row, to go back to large frames, the time between two no longer doubles."""
RECOVERY = 1.02
"""What the ceiling is multiplied by in each step after `WINDOW` that were in time."""


def level_of(keep_ratio: float) -> float:
    """The root of the share of query-key pairs that a keep ratio stands for: the scale on which the budget moves evenly.

    Args:
        keep_ratio: [0, 1].
    """
    return math.sqrt(keep_ratio * memory_ratio_for(keep_ratio))


def keep_ratio_at(level: float) -> float:
    """The largest keep ratio of at most this level: what `level_of` does, the other way round.

    Args:
        level: (0, 1].
    """
    small = level / math.sqrt(SMALL_MEMORY_FACTOR)
    return max(level**1.5 if level**1.5 > SMALL_KEEP_RATIO else 0.0, min(small, SMALL_KEEP_RATIO))


class Budget:
    """One target's keep ratio: rises at once, falls slowly, is at its ceiling while the target is uncertain.

    A fixed `keep_ratio` switches all of that off, as in arXiv 2512.21333.
    """

    def __init__(self, config: PruningConfig) -> None:
        self.config = config
        self._level = level_of(config.max_keep_ratio)

    def update(
        self, magnitude: float, seconds: float, uncertain: bool, ceiling: float = 1.0, size: float = 0.0
    ) -> float:
        """The keep ratio for this frame.

        Args:
            magnitude: `Motion.magnitude_of` the target, per second, not negative.
            seconds: since the last frame.
            uncertain: the target is new, or its mask is doubted.
            ceiling: the most that `Deadline` allows, (0, 1].
            size: share of the frame that the target covers, [0, 1]. Where there are fewer queries than that, a mask
                crumbles; so this may lead above the configuration's ceiling, which is that of motion and doubt.

        Returns:
            (0, 1], at one of `STEPS` (the bounds of the configuration count as steps too), or the fixed ratio.
        """
        config = self.config
        if config.keep_ratio > 0:
            return config.keep_ratio
        low, high = level_of(config.min_keep_ratio), level_of(config.max_keep_ratio)
        share = min(1.0, magnitude / config.full_motion) if math.isfinite(magnitude) else 1.0
        room = level_of(min(1.0, ROOM * size))
        demand = max(room, high if uncertain else low + (high - low) * share)
        fall = max(high, self._level) - low
        if config.fall_seconds > 0:
            fall *= max(0.0, seconds) / config.fall_seconds
        self._level = max(demand, self._level - fall, low)
        return keep_ratio_at(self._step(self._level, low, high, level_of(ceiling)))

    @staticmethod
    def _step(level: float, low: float, high: float, most: float) -> float:
        """The step nearest to `level` from the floor on, and none above `most` but the floor; of two the larger.

        The nearest, not the next above: flow is never quite zero, and noise must not lift a still target off the floor.
        """
        steps = (low, high, *(step for step in STEPS if step > low))
        allowed = [step for step in steps if step <= max(low, most)]
        return min(allowed, key=lambda step: (abs(step - level), -step))


class Deadline:
    """Holds the 95th percentile of the steps' time under the period by the most that every target gets: steps take as long as
    all targets together.

    A late step lowers the ceiling at once, by as much as it was late, and then it stays for `WINDOW` steps without a late one:
    one late step in so many is what the percentile allows. A fixed `keep_ratio` switches it off.

    Where the floor is not enough, frames are made small, and the ceiling is free again. How long a large one would take by then
    nobody knows: it is tried after `WINDOW` steps that leave room for it, and after twice as many each time that this does not
    last as long.

    Args:
        config: settings.
        small_side: side of a small frame over that of a large one, (0, 1]; 1: there are no small ones.

    Attributes:
        small: frames are to be small from the next one on.
    """

    def __init__(self, config: PruningConfig, small_side: float = 1.0) -> None:
        self.config = config
        self.small = False
        self._small_side = small_side
        self._tries = 0  # to go back to large frames, that failed in a row
        self._since_resized = 0
        self.resized()

    @property
    def missed(self) -> bool:
        """The rate is not held: of the last `WINDOW` steps more than one was late although its ceiling was the floor."""
        return sum(self._late_at_floor) > 1

    def resized(self) -> None:
        """Frames are of another size from this one on: steps are judged anew."""
        # Large frames that are tried again begin with few tokens: if that is too much, it is known after two steps.
        self._ceiling = self.config.min_keep_ratio if self._tries and not self.small else 1.0
        self._seconds: tuple[float, ...] = ()
        self._late_at_floor: tuple[bool, ...] = ()
        self._since_resized = 0

    def update(self, step_seconds: float, highest: float = 1.0) -> float:
        """The highest keep ratio for this frame.

        Args:
            step_seconds: what the last step took; 0: not known, or of a frame of another size.
            highest: (0, 1], the largest keep ratio that a target had in it. A late step lowers the ceiling below that at once.

        Returns:
            between `min_keep_ratio` and 1.
        """
        config = self.config
        if config.target_rate > 0 and step_seconds > 0 and not config.keep_ratio:
            share = 1 / (config.target_rate * step_seconds)  # of the step's time that the period is
            at_floor = self._ceiling <= config.min_keep_ratio
            self._seconds = (*self._seconds[1 - WINDOW :], step_seconds)
            self._late_at_floor = (*self._late_at_floor[1 - WINDOW :], share < 1 and at_floor)
            self._since_resized += 1
            if share < 1:
                self._ceiling = min(MOST_LEFT, max(LEAST_LEFT, share)) * min(self._ceiling, highest)
            elif max(self._seconds) * config.target_rate <= 1:
                self._ceiling *= RECOVERY
            self._ceiling = min(1.0, max(config.min_keep_ratio, self._ceiling))
            self._choose_size()
        return self._ceiling

    def _choose_size(self) -> None:
        patience = WINDOW * 2 ** min(self._tries, MOST_TRIES)
        if not self.small:
            if self.missed and self._small_side < 1:
                self.small, self._late_at_floor = True, ()  # small frames may well hold the rate
            elif self._since_resized == patience:
                self._tries = 0  # the last try did not fail
        elif self._since_resized >= patience:
            # A step takes longer by the side at least, most of it by its square. One late step in so many is none.
            roomy = sorted(self._seconds)[-2] * self.config.target_rate <= self._small_side
            if roomy:
                self.small, self._tries = False, self._tries + 1
