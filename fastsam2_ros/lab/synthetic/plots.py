"""Plots: what a target undergoes on purpose, so that it can be measured how a tracker fares."""

from __future__ import annotations

from functools import partial

import numpy as np

from fastsam2_ros.lab.synthetic import motion
from fastsam2_ros.lab.synthetic.motion import Track
from fastsam2_ros.lab.synthetic.scene import Place, Plot, Times

CROSSING_SECONDS = 0.8
"""Time in which a target comes in from beyond an edge, or a cover comes over it."""


def leaves(at: float, away: float, *, elsewhere: bool) -> Plot:
    """The target leaves over an edge and comes back.

    Args:
        at: seconds at which it is out of sight.
        away: seconds until it comes back.
        elsewhere: over another edge; else over the same.
    """
    return Plot(frozenset({"leaves"}), path=partial(_away, at=at, away=away, elsewhere=elsewhere))


def hidden(at: float, seconds: float) -> Plot:
    """A dull thing comes over the target, which wanders on below it, and moves on. at: seconds, the beginning of it."""
    return Plot(frozenset({"crossed"}), cover=partial(_covering, at=at, seconds=seconds))


def _away(
    rng: np.random.Generator,
    start: Place,
    times: Times,
    size: tuple[int, int],
    reach: float,
    *,
    at: float,
    away: float,
    elsewhere: bool,
) -> Track:
    """See `Plot.path`."""
    height, width = size
    beyond = 1.4 * reach + 8
    edge = int(rng.integers(4))
    other = int((edge + rng.integers(1, 4)) % 4) if elsewhere else edge

    def outside(edge: int, distance: float, along: float) -> tuple[float, float]:
        x, y = along * width, along * height
        return ((-distance, y), (width + distance, y), (x, -distance), (x, height + distance))[edge]

    first, second = rng.uniform(0.25, 0.75, 2)
    inside = (rng.uniform(0.3, 0.7) * width, rng.uniform(0.3, 0.7) * height)
    out = [tuple(start), outside(edge, beyond, first), outside(edge, 3 * beyond, first)]
    back = [outside(other, 3 * beyond, second), outside(other, beyond, second), inside, inside]
    leaving = motion.along(np.array(out), np.array([0, at, 2 * at]), times)
    seen = at + away
    knots = np.array([seen - 2 * CROSSING_SECONDS, seen, seen + CROSSING_SECONDS, seen + 3 * CROSSING_SECONDS])
    returning = motion.along(np.array(back), knots, times)
    return np.where((times < at + away / 2)[:, None], leaving, returning)


def _covering(
    rng: np.random.Generator, target: Track, times: Times, distance: float, *, at: float, seconds: float
) -> Track:
    """See `Plot.cover`."""
    angle = rng.uniform(0, 2 * np.pi)
    knots = (at - CROSSING_SECONDS, at, at + seconds, at + seconds + CROSSING_SECONDS)
    offset = np.interp(times, knots, (-distance, 0, 0, distance))
    return target + offset[:, None] * np.array([np.cos(angle), np.sin(angle)])
