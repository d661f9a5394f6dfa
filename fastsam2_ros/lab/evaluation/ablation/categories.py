"""What is difficult about a sequence, decided once from the generated world's own truth."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from fastsam2_ros.lab.evaluation.sequences import VideoSequence
from fastsam2_ros.lab.evaluation.worlds import WorldFootage
from fastsam2_ros.lab.synthetic.world import WorldSequence

SHARED_ATTRIBUTES = 2
"""Of colour, pattern and shape: with so many in common with the target, a thing is its look-alike."""
HALF_HIDDEN = 0.5
"""Visible part of the silhouette below which a target is occluded."""
LEAST_FRAMES = 3
"""Occlusion and absence that are shorter (a tenth of a second) do not count."""
FAST, SLOW = 0.3, 0.1
"""Speed of the target, frame diagonals per second: from here on fast, up to here slow."""
LARGE = 0.08
"""Share of the frame from which on a target is large."""
_WHOLE = 0.9

LOOK_ALIKES, OCCLUSION, FAST_MOTION, SLOW_MOTION, RE_ENTRY, LARGE_TARGET = (
    "look-alikes",
    "occlusion",
    "fast motion",
    "slow motion",
    "re-entry",
    "large target",
)
MEANINGS = {
    LOOK_ALIKES: f"another thing shares {SHARED_ATTRIBUTES} of colour, pattern and shape with the target",
    OCCLUSION: f"less than {HALF_HIDDEN:g} of the target's silhouette is visible in {LEAST_FRAMES} frames or more, though "
    "it does not touch the frame's border (a target that is not seen at all: did not when last seen)",
    FAST_MOTION: f"the target's median speed is {FAST:g} frame diagonals per second or more, where it is seen whole",
    SLOW_MOTION: f"the same speed is {SLOW:g} or less",
    RE_ENTRY: f"the target is not seen at all for {LEAST_FRAMES} frames or more in a row, and seen again",
    LARGE_TARGET: f"the target covers {LARGE:g} of the frame or more, in the median of the frames in which it is seen",
}
"""What each category says, for reports."""


def groups(sequence: VideoSequence, title: str) -> tuple[str, ...]:
    """The rows of the report that a sequence counts for: its data set's, its level's, and those of `categories`.

    Args:
        sequence: of a data set.
        title: the data set's.
    """
    parts = [title, sequence.group] if sequence.group else [title]
    if isinstance(sequence.footage, WorldFootage):
        parts += categories(sequence.footage.world)
    return tuple(parts)


def categories(world: WorldSequence) -> list[str]:
    """Those of `MEANINGS` that hold, in their order."""
    column = world.target - 1
    visible = world.visible[:, column]  # (T,), [0, 1]
    speed = _speed(world, column)
    holds = {
        LOOK_ALIKES: _has_lookalike(world),
        OCCLUSION: np.count_nonzero((visible < HALF_HIDDEN) & ~_leaving(world, column)) >= LEAST_FRAMES,
        FAST_MOTION: speed >= FAST,
        SLOW_MOTION: speed <= SLOW,
        RE_ENTRY: _returns(visible > 0),
        LARGE_TARGET: _covered(world) >= LARGE,
    }
    return [name for name in MEANINGS if holds[name]]


def _has_lookalike(world: WorldSequence) -> bool:
    target = world.objects[world.target - 1]
    shared = [
        (each.colour == target.colour) + (each.pattern == target.pattern) + (each.shape == target.shape)
        for each in world.objects
        if each.id != target.id
    ]
    return max(shared, default=0) >= SHARED_ATTRIBUTES


def _leaving(world: WorldSequence, column: int) -> npt.NDArray[np.bool_]:
    """Frames (T,) in which the target touches the frame's border, or did when it was last seen."""
    height, width = world.ids.shape[1:]
    left, top, across, down = world.boxes[:, column].T
    touching = (left <= 0) | (top <= 0) | (left + across >= width) | (top + down >= height)
    # Comparisons with NaN, the box of what is not seen, are false: the last seen frame speaks for those after it.
    last_seen = np.maximum.accumulate(np.where(np.isnan(left), 0, np.arange(len(left))))
    return np.asarray(touching[last_seen], bool)


def _speed(world: WorldSequence, column: int) -> float:
    """Median speed of the middle of the target's box, frame diagonals per second; NaN where it is never seen whole."""
    boxes, whole = world.boxes[:, column], world.visible[:, column] > _WHOLE
    middles = boxes[:, :2] + boxes[:, 2:] / 2
    moved = np.linalg.norm(np.diff(middles, axis=0), axis=1) / np.hypot(*world.ids.shape[1:])
    speeds = moved / (np.diff(world.stamps_ns) * 1e-9)
    seen = speeds[whole[1:] & whole[:-1]]
    return float(np.median(seen)) if len(seen) else float("nan")


def _covered(world: WorldSequence) -> float:
    """Share of the frame that the target covers, in the median of the frames in which it is seen; 0 without any."""
    shares = (world.ids == world.target).mean(axis=(1, 2))
    seen = shares[shares > 0]
    return float(np.median(seen)) if len(seen) else 0.0


def _returns(seen: npt.NDArray[np.bool_]) -> bool:
    unseen = 0
    for now in seen.tolist():
        if now and unseen >= LEAST_FRAMES:
            return True
        unseen = 0 if now else unseen + 1
    return False
