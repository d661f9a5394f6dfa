"""Sequences of the generated world with a truth made by hand, and measurements."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from fastsam2_ros.lab.evaluation.ablation.measure import Measurement
from fastsam2_ros.lab.synthetic.world import WorldObject, WorldSequence

SIZE = (60, 80)
"""Its diagonal is 100 pixels."""
PLAIN_MUG = ("red", "plain", "mug")


def world(
    *,
    lefts: Sequence[float | None],
    visible: Sequence[float] | None = None,
    others: Sequence[tuple[str, str, str]] = (),
) -> WorldSequence:
    """Ten frames per second of a target of 10 x 10 pixels, with the left edge of its box by frame; None: not seen."""
    count = len(lefts)
    looks = [PLAIN_MUG, *others]
    boxes = np.full((count, len(looks), 4), np.nan, np.float32)
    for t, left in enumerate(lefts):
        if left is not None:
            boxes[t, 0] = (left, 20, 10, 10)
    shown = np.zeros((count, len(looks)), np.float32)
    shown[:, 0] = [float(left is not None) for left in lefts] if visible is None else visible
    return WorldSequence(
        frames=np.zeros((count, *SIZE, 3), np.uint8),
        ids=np.zeros((count, *SIZE), np.uint8),
        boxes=boxes,
        visible=shown,
        motion=np.zeros(count, np.float32),
        camera=np.tile(np.eye(2, 3, dtype=np.float32), (count, 1, 1)),
        objects=tuple(
            WorldObject(n + 1, shape, colour, pattern, "medium", "") for n, (colour, pattern, shape) in enumerate(looks)
        ),
        target=1,
        description="red mug",
        absent=(),
        seed=0,
        level=1,
        stamps_ns=np.arange(count) * 100_000_000,
    )


def measurement(score: float, *, ratio: float = 1.0, seconds: float = 1.0) -> Measurement:
    """Of four frames, of which the first is given: J is `score`, F a tenth more; FLOPs go with the ratio."""
    tracked = [0.0, 1.0, 1.0, 1.0]
    return Measurement(
        frames={"1": [1, 2]},
        j={"1": [score, score]},
        f={"1": [score + 0.1, score + 0.1]},
        keep_ratio=[1.0, ratio, ratio, ratio],
        queries=[100 * ratio * each for each in tracked],
        keys=[700 * ratio * each for each in tracked],
        flops=[1e9 * ratio * each for each in tracked],
        motion=[0.0, 0.1, 0.2, 0.1],
        tokens=100,
        memory_bytes=round(1000 * ratio),
        seconds={"attend": seconds / 2, "step": seconds},
        dense_seconds={"attend": 1.0, "step": 2.0},
    )
