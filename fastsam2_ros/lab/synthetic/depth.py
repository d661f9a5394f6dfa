"""How far away everything in a scene is: what a perfect depth camera would measure beside the pictures."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from fastsam2_ros.depth import Camera
from fastsam2_ros.lab.synthetic import motion
from fastsam2_ros.lab.synthetic.actors import Actor
from fastsam2_ros.lab.synthetic.compositing import paste
from fastsam2_ros.lab.synthetic.scene import Scene

_FAR, _NEAR = 2.4, 0.6
"""Depths between which the things are, m; the ground is behind them, up to 5 m away."""
_GROWTH, _SLANT, _BULGE = 0.3, 0.15, 0.05
"""Shares of a thing's part of that range: what it moves nearer as it grows, leans, and bulges. Their sum is half of it."""
_FULL_GROWTH = 0.4
"""Natural logarithm of the growth that brings a thing as near as it gets."""


def camera_of(size: tuple[int, int]) -> Camera:
    """The camera of frames of a size, (H, W): 53 degrees wide."""
    height, width = size
    return Camera(float(width), float(width), (width - 1) / 2, (height - 1) / 2, width, height)


def measure(rng: np.random.Generator, scene: Scene, frames: int, size: tuple[int, int]) -> npt.NDArray[np.float32]:
    """Depth of the first `frames` frames: float32 (T, H, W), m; complete and without noise.

    Things lie behind one another as they are painted. Each leans, bulges, and comes nearer as it grows.

    Args:
        rng: where chance comes from.
        scene: what is seen.
        frames: how many.
        size: height, width, pixels.
    """
    ground = _ground(rng, size)
    part = np.log(_FAR / _NEAR) / len(scene.actors)
    leans = rng.uniform(-1, 1, (len(scene.actors), 2)) * _SLANT / np.sqrt(2)
    depth = np.empty((frames, *size), np.float32)
    canvas = np.zeros((*size, 3), np.uint8)
    for t in range(frames):
        depth[t] = ground
        for number, (actor, lean) in enumerate(zip(scene.actors, leans, strict=True)):
            laid = paste(canvas, actor.sprite, actor.places[t], None, actor.bends[t])
            if laid is not None:
                _, region, silhouette = laid
                middle = np.log(_FAR) - (number + 0.5) * part
                surface = np.exp(middle + part * _relief(actor, lean, t, region))
                depth[t][region][silhouette] = surface[silhouette]
    return depth


def _ground(rng: np.random.Generator, size: tuple[int, int]) -> npt.NDArray[np.float64]:
    """A plane that comes nearer towards the lower edge, (H, W): 2.5 m away and more."""
    height, width = size
    across, down = np.arange(width) / width - 0.5, np.arange(height)[:, None] / height - 0.5
    near, side, slope = rng.uniform(0.27, 0.33), rng.uniform(-0.04, 0.04), rng.uniform(0.02, 0.1)
    return 1 / (near + side * across + slope * down)


def _relief(
    actor: Actor, lean: npt.NDArray[np.float64], t: int, region: tuple[slice, slice]
) -> npt.NDArray[np.float64]:
    """How much further than its middle a thing is at each pixel of a region, in shares of its part of the range, +-.5."""
    rows, columns = region
    back = motion.inverse(actor.places[t])
    pixels = np.stack(np.meshgrid(np.arange(columns.start, columns.stop), np.arange(rows.start, rows.stop)), -1)
    place = np.clip((pixels @ back[:, :2].T + back[:, 2]) / actor.sprite.extent, -1, 1)
    sizes = np.sqrt(np.abs(np.linalg.det(actor.places[[0, t], :, :2])))
    growth = np.clip(np.log(sizes[1] / sizes[0]) / _FULL_GROWTH, -1, 1)
    bulge = _BULGE * (1 - np.clip((place**2).sum(-1), 0, 1))
    return np.asarray(place @ lean - bulge - _GROWTH * growth)
