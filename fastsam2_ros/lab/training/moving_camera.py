"""Clips of a photograph: a camera that pans, zooms, rolls and tilts over it, in changing light."""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

from fastsam2_ros.images import RgbImage
from fastsam2_ros.lab.synthetic.camera import blur_kernel, draw_optics, expose
from fastsam2_ros.lab.training.stills import Ids

RATE = 10
"""Frames per second that light and camera are timed for."""
LEVELS = (1, 2, 2, 3)
"""Of `camera.draw_optics`, as often as they are drawn."""
LARGE = 850
"""Side of a picture, in pixels of the clip, that the camera comes near at most: small clips show parts of pictures, and so
things at the size that they have in large ones.
"""

Quads = npt.NDArray[np.float64]


def film(rng: np.random.Generator, image: RgbImage, ids: Ids, frames: int, side: int) -> tuple[RgbImage, Ids]:
    """A clip of a photograph: uint8 (T, S, S, 3), and the numbers of objects, uint8 (T, S, S).

    Args:
        rng: where chance comes from.
        image: uint8 (H, W, 3).
        ids: uint8 (H, W).
        frames: T.
        side: S, pixels.
    """
    if rng.random() < 0.5:
        image, ids = image[:, ::-1].copy(), ids[:, ::-1].copy()
    quads = draw_quads(rng, ids, frames, side / LARGE)
    corners = np.array([[0, 0], [side, 0], [side, side], [0, side]], np.float32)
    times = np.arange(frames) / RATE
    optics = draw_optics(rng, int(LEVELS[rng.integers(len(LEVELS))]), times, (side, side))
    # Where the picture has more pixels than the clip, it is made smaller first, or else it would be sampled too sparsely.
    while np.ptp(quads[:, :, 0], axis=1).min() > 2 * side:
        image, quads = np.asarray(cv2.resize(image, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA)), quads / 2
        ids = np.asarray(cv2.resize(ids, image.shape[1::-1], interpolation=cv2.INTER_NEAREST), np.uint8)
    shots = np.empty((frames, side, side, 3), np.uint8)
    labels = np.empty((frames, side, side), np.uint8)
    for t, quad in enumerate(quads):
        matrix = cv2.getPerspectiveTransform(quad.astype(np.float32), corners)
        shot = cv2.warpPerspective(
            image, matrix, (side, side), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT_101
        )
        labels[t] = cv2.warpPerspective(ids, matrix, (side, side), flags=cv2.INTER_NEAREST)
        if t and optics.shutter:
            shift = (quads[t - 1] - quad).mean(0) * side / np.ptp(quad[:, 0])
            kernel = blur_kernel(shift, optics.shutter * 0.5)
            shot = shot if kernel is None else cv2.filter2D(shot, -1, kernel)
        shots[t] = expose(rng, np.asarray(shot, np.uint8), optics, t)
    return shots, labels


def draw_quads(rng: np.random.Generator, ids: Ids, frames: int, smallest: float) -> Quads:
    """What the camera sees in each frame: float64 (T, 4, 2), corners in pixels of the picture, clockwise from top left.

    Args:
        rng: where chance comes from.
        ids: uint8 (H, W), objects.
        frames: T.
        smallest: share of the picture's sides that is seen at first, at least.
    """
    height, width = ids.shape
    whole = np.array([width, height], float)
    places = np.argwhere(ids > 0)[:, ::-1]  # x, y
    goal = places[rng.integers(len(places))] if len(places) else whole / 2
    speed = rng.choice([0.3, 1.0, 1.8], p=[0.25, 0.5, 0.25])
    count = 2 if frames <= 4 else 3
    share = rng.uniform(smallest, 1)
    stretch = np.exp(rng.uniform(-0.15, 0.15) * np.array([1, -1]))
    middle = goal + rng.uniform(-0.3, 0.3, 2) * share * whole
    angle = rng.normal(0, 0.06)
    keys = []
    for _ in range(count):
        half = np.minimum(share * stretch, 1) * whole / 2
        middle = np.clip(middle, half * 0.92, whole - half * 0.92)
        square = np.array([[-1, -1], [1, -1], [1, 1], [-1, 1]]) * half
        tilt = rng.normal(0, 0.03 * speed, (4, 2)) * 2 * half
        c, s = np.cos(angle), np.sin(angle)
        keys.append(middle + square @ np.array([[c, s], [-s, c]]) + tilt)
        middle = middle + rng.normal(0, 0.16 * speed, 2) * 2 * half
        share = float(np.clip(share * np.exp(rng.normal(0, 0.18 * speed)), smallest * 0.8, 1.0))
        angle += rng.normal(0, 0.1 * speed)
    at = np.linspace(0, count - 1, frames) if frames > 1 else np.zeros(1)
    before = np.minimum(at.astype(int), count - 2)
    part = at - before
    smooth = (0.5 * part + 0.5 * part * part * (3 - 2 * part))[:, None, None]
    stacked = np.array(keys)
    return stacked[before] * (1 - smooth) + stacked[before + 1] * smooth
