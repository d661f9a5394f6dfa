"""The parts of an outline: filled polygons, and what they are made of.

Coordinates: x to the right, y down, about [-1, 1].
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Points = npt.NDArray[np.float32]


"""float32 (n, 2): x, y."""


@dataclass(frozen=True)
class Part:
    """A filled polygon.

    Attributes:
        points: its corners.
        tone: brightness of the thing's own colour there, 1 as it is.
        material: a key of `sprites.MATERIALS` where the part has a colour of its own, "hole" where nothing is.
    """

    points: Points
    tone: float = 1.0
    material: str = ""


def curve(corners: Sequence[tuple[float, float]], steps: int = 8) -> Points:
    """A closed smooth curve through the corners (Catmull and Rom, 1974)."""
    p = np.array(corners, np.float32)
    before, after, far = np.roll(p, 1, 0), np.roll(p, -1, 0), np.roll(p, -2, 0)
    t = np.linspace(0, 1, steps, endpoint=False, dtype=np.float32)[None, :, None]
    p, before, after, far = p[:, None], before[:, None], after[:, None], far[:, None]
    points = 0.5 * (
        2 * p
        + (after - before) * t
        + (2 * before - 5 * p + 4 * after - far) * t**2
        + (3 * p - before - 3 * after + far) * t**3
    )
    return points.reshape(-1, 2)


def polygon(*corners: tuple[float, float]) -> Points:
    """Straight edges."""
    return np.array(corners, np.float32)


def oval(x: float, y: float, rx: float, ry: float, start: float = 0, end: float = 360) -> Points:
    """An ellipse, or the sector's arc from `start` to `end` degrees, clockwise from the right."""
    angle = np.radians(np.linspace(start, end, 40, endpoint=end - start < 360))
    return np.stack([x + rx * np.cos(angle), y + ry * np.sin(angle)], 1).astype(np.float32)


def box(left: float, top: float, right: float, bottom: float, corner: float = 0.0) -> Points:
    """A rectangle, its corners cut to a round of radius `corner`."""
    if corner <= 0:
        return polygon((left, top), (right, top), (right, bottom), (left, bottom))
    c = corner
    return np.concatenate(
        [
            oval(right - c, bottom - c, c, c, 0, 90),
            oval(left + c, bottom - c, c, c, 90, 180),
            oval(left + c, top + c, c, c, 180, 270),
            oval(right - c, top + c, c, c, 270, 359.9),
        ]
    )
