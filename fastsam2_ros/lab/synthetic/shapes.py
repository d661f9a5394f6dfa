"""Outlines: plain shapes and everyday things (`things`), as parts with a tone or a material."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from fastsam2_ros.lab.synthetic.parts import Part, box, oval, polygon
from fastsam2_ros.lab.synthetic.things import THINGS


@dataclass(frozen=True)
class Outline:
    """A thing's parts, from back to front.

    Attributes:
        parts: polygons; their union less the holes is the silhouette.
        extent: half width and half height; the greater one is 1.
        roundness: how far the bulge reaches from the rim to the middle, (0, 1].
    """

    parts: tuple[Part, ...]
    extent: tuple[float, float]
    roundness: float


def outline(shape: str, rng: np.random.Generator) -> Outline:
    """One of the many forms of a shape: stretched, sheared, mirrored, its proportions drawn anew; centred, the longer side 2.

    Args:
        shape: one of `vocabulary.SHAPES`.
        rng: where chance comes from.
    """
    parts = _SHAPES[shape](rng)
    stretch = np.exp(rng.normal(0, 0.09, 2)).clip(0.8, 1.25)
    matrix = np.array([[stretch[0], rng.normal(0, 0.05)], [0, stretch[1]]])
    if rng.random() < 0.5:
        matrix[0] *= -1
    moved = [part.points @ matrix.T for part in parts]
    solid = np.concatenate([points for points, part in zip(moved, parts, strict=True) if part.material != "hole"])
    low, high = solid.min(0), solid.max(0)
    half = (high - low) / 2
    scale = 1 / half.max()
    placed = tuple(
        Part(((points - (low + high) / 2) * scale).astype(np.float32), part.tone, part.material)
        for points, part in zip(moved, parts, strict=True)
    )
    roundness = 1.0 if shape in ("ball", "pear") else float(rng.uniform(0.25, 0.95))
    return Outline(placed, (float(half[0] * scale), float(half[1] * scale)), roundness)


def _ball(rng: np.random.Generator) -> list[Part]:
    return [Part(oval(0, 0, 1, 1))]


def _box(rng: np.random.Generator) -> list[Part]:
    """A face seen straight on, or three faces seen from a corner."""
    if rng.random() < 0.35:
        return [Part(box(-1, -1, 1, 1, rng.uniform(0.05, 0.3)))]
    deep, lift = rng.uniform(0.35, 0.7, 2)
    a, b = -1.0, 0.6
    return [
        Part(polygon((a, a + lift), (b, a + lift), (b, 1), (a, 1))),
        Part(polygon((a, a + lift), (a + deep, a), (b + deep, a), (b, a + lift)), rng.uniform(1.1, 1.3)),
        Part(polygon((b, a + lift), (b + deep, a), (b + deep, 1 - lift), (b, 1)), rng.uniform(0.45, 0.75)),
    ]


def _triangle(rng: np.random.Generator) -> list[Part]:
    return [Part(polygon((rng.uniform(-0.3, 0.3), -1), (1, 0.8), (-1, 0.8)))]


def _star(rng: np.random.Generator) -> list[Part]:
    angle = np.radians(-90 + 36 * np.arange(10, dtype=np.float32))
    radius = np.where(np.arange(10) % 2, np.float32(rng.uniform(0.38, 0.52)), np.float32(1))
    return [Part(np.asarray(np.stack([radius * np.cos(angle), radius * np.sin(angle)], 1), np.float32))]


def _ring(rng: np.random.Generator) -> list[Part]:
    inner = rng.uniform(0.45, 0.66)
    return [Part(oval(0, 0, 1, 1)), Part(oval(0, 0, inner, inner), material="hole")]


def _cross(rng: np.random.Generator) -> list[Part]:
    w = rng.uniform(0.26, 0.4)
    return [Part(box(-w, -1, w, 1, 0.06)), Part(box(-1, -w, 1, w, 0.06))]


def _heart(rng: np.random.Generator) -> list[Part]:
    t = np.radians(np.arange(0, 360, 6))
    x = 16 * np.sin(t) ** 3
    y = -(13 * np.cos(t) - 5 * np.cos(2 * t) - 2 * np.cos(3 * t) - np.cos(4 * t))
    return [Part((np.stack([x, y], 1) / 16).astype(np.float32))]


def _moon(rng: np.random.Generator) -> list[Part]:
    bite = rng.uniform(0.3, 0.55)
    inner = oval(bite, 0, 0.85, 0.85)
    return [Part(oval(0, 0, 1, 1)), Part(inner, material="hole")]


_SHAPES: dict[str, Callable[[np.random.Generator], list[Part]]] = {
    "ball": _ball,
    "box": _box,
    "triangle": _triangle,
    "star": _star,
    "ring": _ring,
    "cross": _cross,
    "heart": _heart,
    "moon": _moon,
    **THINGS,
}
