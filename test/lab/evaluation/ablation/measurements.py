"""Measurements that are made up."""

from __future__ import annotations

from fastsam2_ros.lab.evaluation.ablation.measure import Measurement


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
