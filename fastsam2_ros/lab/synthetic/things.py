"""Everyday things, drawn here point by point."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from fastsam2_ros.lab.synthetic.parts import Part, box, curve, oval, polygon


def _mug(rng: np.random.Generator) -> list[Part]:
    taper, rim, height = rng.uniform(0, 0.18), rng.uniform(0.12, 0.26), rng.uniform(0.75, 1.05)
    body = np.concatenate(
        [
            oval(0, height - rim, 0.7 - taper, rim, 0, 180),
            polygon((-0.7, -height)),
            polygon((0.7, -height)),
        ]
    )
    grip = rng.uniform(0.35, 0.5)
    return [
        Part(oval(0.7 - taper / 2, 0, grip, height * 0.62), 0.9),
        Part(oval(0.7 - taper / 2, 0, grip - 0.17, height * 0.62 - 0.18), material="hole"),
        Part(body),
        Part(oval(0, -height, 0.7, rim), 1.12),
        Part(oval(0, -height, 0.6, rim * 0.72), 0.45),
    ]


def _bottle(rng: np.random.Generator) -> list[Part]:
    neck, shoulder, w = rng.uniform(0.12, 0.18), rng.uniform(-0.45, -0.1), rng.uniform(0.33, 0.45)
    corners = [(-neck, -0.8), (neck, -0.8), (neck, shoulder - 0.2), (w, shoulder + 0.15), (w, 0.55), (w * 0.95, 1)]
    left = [(-x, y) for x, y in reversed(corners[2:])]
    parts = [Part(polygon(*corners, *left)), Part(box(-neck - 0.03, -1, neck + 0.03, -0.78, 0.03), 0.6)]
    if rng.random() < 0.4:
        parts.append(Part(box(-w, shoulder + 0.4, w, 0.7), material="paper"))
    return parts


def _can(rng: np.random.Generator) -> list[Part]:
    w, rim = rng.uniform(0.5, 0.68), rng.uniform(0.12, 0.24)
    body = np.concatenate([oval(0, 1 - rim, w, rim, 0, 180), polygon((-w, rim - 1)), polygon((w, rim - 1))])
    return [Part(body), Part(oval(0, rim - 1, w, rim), material="metal")]


def _bowl(rng: np.random.Generator) -> list[Part]:
    rim, deep = rng.uniform(0.14, 0.28), rng.uniform(0.7, 0.95)
    return [
        Part(box(-0.4, deep * 0.6, 0.4, deep + 0.06, 0.04), 0.8),
        Part(oval(0, 0, 1, deep, 0, 180)),
        Part(oval(0, 0, 1, rim), 1.1),
        Part(oval(0, 0.02, 0.9, rim * 0.76), 0.5),
    ]


def _hammer(rng: np.random.Generator) -> list[Part]:
    grip = rng.uniform(0.09, 0.14)
    head = polygon((-0.62, -1), (0.35, -1), (0.7, -0.82), (0.72, -0.7), (0.3, -0.62), (-0.62, -0.56))
    wood = "wood" if rng.random() < 0.5 else ""
    return [
        Part(box(-grip, -0.8, grip, 1, 0.05), 0.8, wood),
        Part(head),
        Part(box(-0.72, -1.04, -0.5, -0.52, 0.03), 0.85),
    ]


def _key(rng: np.random.Generator) -> list[Part]:
    bow, hole = rng.uniform(0.34, 0.42), rng.uniform(0.16, 0.24)
    bit = rng.uniform(0.2, 0.32)
    return [
        Part(box(-0.1, -0.4, 0.1, 1, 0.03)),
        Part(box(0.05, 0.48, bit + 0.1, 0.64)),
        Part(box(0.05, 0.76, bit + 0.16, 0.92)),
        Part(oval(0, -0.6, bow, bow)),
        Part(oval(0, -0.6, hole, hole), material="hole"),
    ]


def _spoon(rng: np.random.Generator) -> list[Part]:
    w = rng.uniform(0.26, 0.34)
    handle = polygon((-0.06, -0.3), (0.06, -0.3), (0.1, 0.9), (0.06, 1), (-0.06, 1), (-0.1, 0.9))
    return [Part(handle), Part(oval(0, -0.6, w, 0.42)), Part(oval(0, -0.62, w * 0.74, 0.31), 0.8)]


def _umbrella(rng: np.random.Generator) -> list[Part]:
    edge = np.concatenate([oval(0.75 - 0.5 * i, -0.05, 0.25, 0.12, 0, -180) for i in range(4)])
    canopy = np.concatenate([oval(0, -0.05, 1, 0.85, 180, 360), edge])
    hook = curve([(0.05, 0.9), (0.1, 1), (0.22, 1), (0.28, 0.85), (0.36, 0.85), (0.3, 1.1), (0.05, 1.12), (-0.05, 0.9)])
    return [
        Part(box(-0.05, -1, 0.05, 0.95), 0.6, "dark"),
        Part(hook, 0.6, "dark"),
        Part(canopy),
    ]


def _duck(rng: np.random.Generator) -> list[Part]:
    body = curve(
        [
            (-1, -0.1),
            (-0.7, 0.08),
            (-0.2, -0.02),
            (0.25, -0.02),
            (0.75, 0.12),
            (0.8, 0.5),
            (0.4, 0.8),
            (-0.4, 0.8),
            (-0.85, 0.45),
        ]
    )
    head = 0.34 + rng.uniform(-0.03, 0.05)
    return [
        Part(polygon((0.7, -0.42), (1.15, -0.25), (1.1, -0.16), (0.7, -0.15)), 1, "beak"),
        Part(body),
        Part(oval(0.52, -0.3, head, head)),
        Part(curve([(-0.6, 0.2), (-0.1, 0.12), (0.25, 0.3), (-0.05, 0.56), (-0.45, 0.5)]), 0.82),
        Part(oval(0.62, -0.38, 0.06, 0.06), 1, "dark"),
    ]


def _fish(rng: np.random.Generator) -> list[Part]:
    fat = rng.uniform(0.38, 0.58)
    body = curve(
        [(0.95, 0), (0.5, -fat * 0.9), (0, -fat), (-0.5, -0.22), (-0.6, 0), (-0.5, 0.22), (0, fat), (0.5, fat * 0.9)]
    )
    return [
        Part(polygon((-0.45, 0), (-1.05, -0.48), (-0.88, 0), (-1.05, 0.48)), 0.8),
        Part(polygon((0.25, -fat * 0.8), (-0.2, -fat - 0.26), (-0.3, -fat * 0.6)), 0.8),
        Part(body),
        Part(curve([(0.2, 0.06), (-0.15, 0.0), (-0.22, 0.2), (0.1, 0.22)]), 0.75),
        Part(oval(0.6, -0.13, 0.085, 0.085), 1, "paper"),
        Part(oval(0.62, -0.13, 0.05, 0.05), 1, "dark"),
    ]


def _car(rng: np.random.Generator) -> list[Part]:
    roof, wheel = rng.uniform(-0.62, -0.42), rng.uniform(0.2, 0.26)
    shell = curve(
        [
            (-1, 0.28),
            (-0.98, -0.04),
            (-0.68, -0.1),
            (-0.42, roof),
            (0.3, roof),
            (0.58, -0.08),
            (0.96, 0.02),
            (1, 0.3),
            (0.8, 0.38),
            (-0.8, 0.38),
        ],
        6,
    )
    top = roof + 0.08
    return [
        Part(shell),
        Part(polygon((-0.52, -0.1), (-0.36, top), (-0.06, top), (-0.06, -0.1)), 1, "glass"),
        Part(polygon((0.02, -0.1), (0.02, top), (0.25, top), (0.45, -0.1)), 1, "glass"),
        *(Part(oval(x, 0.36, wheel, wheel), 1, "dark") for x in (-0.55, 0.55)),
        *(Part(oval(x, 0.36, wheel * 0.5, wheel * 0.5), 1, "metal") for x in (-0.55, 0.55)),
    ]


def _boat(rng: np.random.Generator) -> list[Part]:
    lean = rng.uniform(-0.1, 0.15)
    return [
        Part(box(-0.05, -1, 0.03, 0.4), 1, "wood"),
        Part(polygon((0.06, -0.9), (0.8 + lean, 0.24), (0.06, 0.24)), 1.05),
        Part(polygon((-0.08, -0.7), (-0.08, 0.24), (-0.65, 0.24)), 0.85),
        Part(polygon((-1, 0.34), (1, 0.34), (0.7, 0.85), (-0.7, 0.85)), 0.9),
    ]


def _house(rng: np.random.Generator) -> list[Part]:
    eave = rng.uniform(-0.3, -0.05)
    parts = [
        Part(box(0.35, -0.85, 0.55, eave), 0.55),
        Part(box(-0.78, eave, 0.78, 1)),
        Part(polygon((-1, eave), (0, -1), (1, eave)), rng.uniform(0.5, 0.75)),
        Part(box(-0.16, 0.4, 0.2, 1), 1, "wood"),
    ]
    windows = ((-0.6, 0.1), (0.3, 0.1))
    return parts + [Part(box(x, y, x + 0.3, y + 0.3), 1, "glass") for x, y in windows]


def _tree(rng: np.random.Generator) -> list[Part]:
    trunk = Part(polygon((-0.13, 0.3), (0.13, 0.3), (0.18, 1), (-0.18, 1)), 1, "wood")
    if rng.random() < 0.5:
        tiers = [(-1.0, -0.3, 0.45), (-0.65, 0.1, 0.6), (-0.3, 0.55, 0.75)]
        return [trunk, *(Part(polygon((0, a), (w, b), (-w, b)), 0.85 + 0.12 * n) for n, (a, b, w) in enumerate(tiers))]
    blobs = [(-0.38, -0.1, 0.4), (0.38, -0.08, 0.4), (0, 0.12, 0.42), (0, -0.5, 0.5)]
    return [trunk, *(Part(oval(x, y, r, r), rng.uniform(0.85, 1.1)) for x, y, r in blobs)]


def _mushroom(rng: np.random.Generator) -> list[Part]:
    w = rng.uniform(0.22, 0.34)
    stem = polygon((-w * 0.8, 0), (w * 0.8, 0), (w, 0.9), (w * 0.6, 1), (-w * 0.6, 1), (-w, 0.9))
    return [Part(stem, 1, "paper"), Part(oval(0, 0.02, 0.98, 0.16), 0.6), Part(oval(0, 0, 1, 1, 180, 360))]


def _pear(rng: np.random.Generator) -> list[Part]:
    body = curve(
        [
            (0, -0.75),
            (0.26, -0.62),
            (0.36, -0.2),
            (0.66, 0.3),
            (0.5, 0.85),
            (0, 0.98),
            (-0.5, 0.85),
            (-0.66, 0.3),
            (-0.36, -0.2),
            (-0.26, -0.62),
        ]
    )
    leaf = curve([(0.03, -0.85), (0.2, -1.02), (0.46, -0.95), (0.25, -0.8)])
    return [
        Part(polygon((-0.04, -0.7), (0.04, -0.7), (0.08, -1), (0, -1)), 1, "wood"),
        Part(leaf, 1, "leaf"),
        Part(body),
    ]


THINGS: dict[str, Callable[[np.random.Generator], list[Part]]] = {
    "mug": _mug,
    "bottle": _bottle,
    "can": _can,
    "bowl": _bowl,
    "hammer": _hammer,
    "key": _key,
    "spoon": _spoon,
    "umbrella": _umbrella,
    "duck": _duck,
    "fish": _fish,
    "car": _car,
    "boat": _boat,
    "house": _house,
    "tree": _tree,
    "mushroom": _mushroom,
    "pear": _pear,
}
"""By name, in the order of `looks.SHAPES`."""
