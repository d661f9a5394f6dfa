"""Clips of a made-up world with full truth: masks, boxes, visible fractions, motion, descriptions."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from fastsam2_ros.errors import InputError
from fastsam2_ros.lab.synthetic import film, motion
from fastsam2_ros.lab.synthetic.camera import draw_optics
from fastsam2_ros.lab.synthetic.compositing import paste
from fastsam2_ros.lab.synthetic.depth import measure
from fastsam2_ros.lab.synthetic.looks import absent_descriptions, describe, unique_description
from fastsam2_ros.lab.synthetic.scene import Plot, Scene, stage

HELD_OUT_SEED = 1_000_000
"""Training uses seeds below, everything that is measured uses seeds from here on."""
LEVELS = (1, 2, 3)
"""1: one thing, slow. 2: several, look-alikes. 3: all difficulties at once."""
RATE = 30
"""Frames per second of the world."""

_MIN_FIRST_VISIBLE = 0.7
_ATTEMPTS = 20
_GRID = 8


@dataclass(frozen=True)
class WorldObject:
    """A thing of a scene. Colour, pattern, shape and size are words of `vocabulary`."""

    id: int
    shape: str
    colour: str
    pattern: str
    size: str
    description: str


@dataclass(frozen=True)
class WorldSequence:
    """A clip and its truth; T frames of H x W pixels, n things.

    Attributes:
        frames: uint8 (T, H, W, 3), RGB.
        ids: uint8 (T, H, W): 0, or the id of the thing whose visible pixel it is.
        boxes: float32 (T, n, 4): x, y, width, height of the visible pixels; NaN where there are none. Columns as in
            `objects`.
        visible: float32 (T, n): visible part of the thing's own silhouette, [0, 1].
        motion: float32 (T,): mean movement of the image since the frame before, frame diagonals; 0 at first.
        camera: float32 (T, 2, 3): from the first frame's pixels to this one's, as far as the ground is concerned.
        objects: by rising id, 1 to n.
        target: id of the described thing. In the first frame at least .7 of it is seen.
        description: true of the target and of nothing else in the scene.
        absent: descriptions of things that are not there.
        seed, level: what it was made of.
        stamps_ns: int64 (T,), nanoseconds from 0.
        depth: float32 (T, H, W), m, along the optical axis of `depth.camera_of(size)`; None where it was not asked for.
    """

    frames: npt.NDArray[np.uint8]
    ids: npt.NDArray[np.uint8]
    boxes: npt.NDArray[np.float32]
    visible: npt.NDArray[np.float32]
    motion: npt.NDArray[np.float32]
    camera: npt.NDArray[np.float32]
    objects: tuple[WorldObject, ...]
    target: int
    description: str
    absent: tuple[str, ...]
    seed: int
    level: int
    stamps_ns: npt.NDArray[np.int64]
    depth: npt.NDArray[np.float32] | None = None


def generate(
    seed: int,
    level: int,
    frames: int = 60,
    size: tuple[int, int] = (384, 512),
    stride: int = 1,
    with_depth: bool = False,
    plot: Plot | None = None,
) -> WorldSequence:
    """Make a clip; the same for the same arguments.

    Args:
        seed: 0 or more; see `HELD_OUT_SEED`.
        level: one of `LEVELS`.
        frames: number of frames, at least 1.
        size: height, width, pixels, at least 64 each.
        stride: only every so manieth frame of the 30 Hz world is rendered: a short clip of a long time.
        with_depth: measure depth too; everything else stays the same.
        plot: what the target undergoes; None: what chance and the level bring.

    Raises:
        InputError: an argument out of its range.
    """
    if level not in LEVELS:
        raise InputError(f"level is {level}; there are {', '.join(map(str, LEVELS))}.")
    if seed < 0 or frames < 1 or stride < 1 or min(size) < 64:
        raise InputError(
            f"seed {seed}, frames {frames}, size {size}, stride {stride}: seed must not be negative, frames and stride "
            "are 1 or more, and height and width at least 64."
        )
    times = np.arange(frames) * stride / RATE
    # One moment more, so that a single frame still has a duration.
    moments = times if frames > 1 else np.array([0.0, 1 / RATE])
    for attempt in range(_ATTEMPTS):
        rng = np.random.default_rng((seed, level, attempt))
        scene = stage(rng, level, moments, size, plot)
        optics = draw_optics(rng, level, moments, size)
        first, area = _truth_of_first_frame(scene, size)
        if area and np.count_nonzero(first == scene.target) >= _MIN_FIRST_VISIBLE * area:
            break
    else:
        raise InputError(f"No scene of seed {seed} shows its target at size {size}; take a larger frame.")
    told = _told(rng, scene)
    shot = film.shoot(rng, scene, optics, frames, size, stride)
    boxes, visible, moved = _truth(scene, shot)
    stamps_ns = np.round(times * 1e9).astype(np.int64)
    camera = scene.camera[:frames].astype(np.float32)
    # Chance of its own, so that what is seen does not depend on it.
    measured = measure(np.random.default_rng((seed, level)), scene, frames, size) if with_depth else None
    return WorldSequence(shot.images, shot.ids, boxes, visible, moved, camera, *told, seed, level, stamps_ns, measured)


def _truth(
    scene: Scene, shot: film.Film
) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32], npt.NDArray[np.float32]]:
    """Boxes, visible parts and motion, see `WorldSequence`."""
    frames = len(shot.ids)
    boxes = np.full((frames, scene.things, 4), np.nan, np.float32)
    visible = np.zeros((frames, scene.things), np.float32)
    moved = np.zeros(frames, np.float32)
    for t, ids in enumerate(shot.ids):
        seen = np.bincount(ids.ravel(), minlength=scene.things + 1)
        visible[t] = np.minimum(1, seen[1:] / np.maximum(shot.areas[t, 1:], 1))
        for index in np.flatnonzero(seen[1:]):
            boxes[t, index] = cv2.boundingRect((ids == index + 1).view(np.uint8))
        if t:
            moved[t] = _image_motion(scene, ids, t)
    return boxes, visible, moved


def _told(rng: np.random.Generator, scene: Scene) -> tuple[tuple[WorldObject, ...], int, str, tuple[str, ...]]:
    """The things, the target's id, its description, and what is absent."""
    looks = {actor.id: actor.look for actor in scene.actors if actor.look is not None}
    target = looks[scene.target]
    description = unique_description(rng, target, [look for number, look in looks.items() if number != scene.target])
    objects = tuple(
        WorldObject(
            number,
            look.shape,
            look.colour,
            look.pattern,
            look.size,
            description if number == scene.target else describe(*look.attributes)[0],
        )
        for number, look in sorted(looks.items())
    )
    return objects, scene.target, description, absent_descriptions(rng, list(looks.values()))


def _truth_of_first_frame(scene: Scene, size: tuple[int, int]) -> tuple[npt.NDArray[np.uint8], int]:
    """Ids, and the pixels of the target's whole silhouette."""
    ids = np.zeros(size, np.uint8)
    canvas = np.zeros((*size, 3), np.uint8)
    area = 0
    for actor in scene.actors:
        laid = paste(canvas, actor.sprite, actor.places[0], None)
        if laid is not None:
            ids[laid[1]][laid[2]] = actor.id
            if actor.id == scene.target:
                area = laid[0]
    return ids, area


def _image_motion(scene: Scene, ids: npt.NDArray[np.uint8], t: int) -> float:
    """Mean length of the true flow into this frame, frame diagonals; sampled at every eighth pixel. Without bending."""
    labels = ids[_GRID // 2 :: _GRID, _GRID // 2 :: _GRID]
    y, x = np.nonzero(np.ones_like(labels))
    points = np.stack([x * _GRID + _GRID // 2, y * _GRID + _GRID // 2], 1).astype(np.float64)
    flow = np.zeros(len(points))
    ways = {0: scene.camera} | {actor.id: actor.places for actor in scene.actors if actor.id}
    for number in np.unique(labels).tolist():
        here = points[labels.ravel() == number]
        back = motion.compose(ways[number][t - 1], motion.inverse(ways[number][t]))
        flow[labels.ravel() == number] = np.linalg.norm(here @ (back[:, :2].T) + back[:, 2] - here, axis=1)
    return float(flow.mean() / np.hypot(*ids.shape))
