"""A thing drawn once: colour, pattern, body, highlight and shadow as one picture that is then moved about."""

from __future__ import annotations

import colorsys
from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from fastsam2_ros.lab.synthetic.looks import Look
from fastsam2_ros.lab.synthetic.parts import Part, box, curve
from fastsam2_ros.lab.synthetic.shapes import Outline, outline
from fastsam2_ros.lab.synthetic.textures import FloatImage, dull_colour, noise, photograph

MATERIALS = {
    "dark": (32, 32, 36),
    "glass": (150, 180, 200),
    "metal": (168, 170, 175),
    "wood": (136, 96, 58),
    "paper": (228, 222, 205),
    "leaf": (70, 120, 50),
    "beak": (236, 150, 40),
}
"""RGB of parts that are not of the thing's own colour."""

# Hue range in degrees, saturation, value. What lies between two names is left out: people would not agree either.
_SHADES = {
    "red": ((-9, 8), (0.72, 1.0), (0.5, 0.95)),
    "orange": ((22, 33), (0.8, 1.0), (0.85, 1.0)),
    "yellow": ((47, 60), (0.7, 1.0), (0.85, 1.0)),
    "green": ((95, 150), (0.5, 1.0), (0.35, 0.8)),
    "blue": ((200, 232), (0.6, 1.0), (0.45, 0.95)),
    "purple": ((266, 295), (0.45, 0.9), (0.4, 0.8)),
    "black": ((0, 360), (0.0, 0.2), (0.07, 0.16)),
    "white": ((0, 360), (0.0, 0.06), (0.9, 1.0)),
}
_PAD = 3


@dataclass(frozen=True)
class Sprite:
    """A thing's picture.

    Attributes:
        rgba: uint8 (h, w, 4), colour already multiplied by alpha.
        shadow: uint8 (h', w'), what the ground is multiplied by / 255; four times as coarse, with a margin.
        shadow_matrix: (2, 3), from shadow pixels to sprite pixels.
        pixels_per_unit: of the outline's unit.
        extent: see `Outline.extent`.
    """

    rgba: npt.NDArray[np.uint8]
    shadow: npt.NDArray[np.uint8]
    shadow_matrix: npt.NDArray[np.float64]
    pixels_per_unit: float
    extent: tuple[float, float]

    def matrix(self, place: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        """(2, 3) from sprite pixels to image pixels, where `place` (2, 3) leads from outline units there."""
        s = 1 / self.pixels_per_unit
        height, width = self.rgba.shape[:2]
        linear = place[:, :2] * s
        return np.column_stack([linear, place[:, 2] - linear @ [(width - 1) / 2, (height - 1) / 2]])


def thing(rng: np.random.Generator, look: Look, form: Outline, scale: float, light: float) -> Sprite:
    """The sprite of a described thing.

    Args:
        rng: where chance comes from.
        look: what it looks like.
        form: of `look.shape`.
        scale: pixels per unit of the outline.
        light: direction that the light comes from, radians.
    """
    mask, tones, materials = _raster(form, scale)
    height, width = mask.shape
    main, second = colours(rng, look)
    weight = _pattern(rng, look.pattern, height, width, scale)
    albedo = main + weight[..., None] * (second - main)
    albedo *= tones[..., None] * (1 + 0.05 * noise(rng, height, width, max(6, scale / 3), 3))[..., None]
    for number, name in enumerate(MATERIALS, 1):
        if (part := materials == number).any():
            albedo[part] = np.array(MATERIALS[name], np.float32) * rng.uniform(0.8, 1.1)
    return _shaded(rng, albedo, mask, form, scale, light)


def dull_thing(rng: np.random.Generator, scale: float, light: float) -> tuple[Sprite, Outline]:
    """A nameless thing that may hide others: a board, a post or a stone with the surface of a photograph or of noise."""
    kind = rng.integers(3)
    if kind == 0:
        points = box(-1, -rng.uniform(0.4, 1), 1, rng.uniform(0.4, 1), rng.uniform(0, 0.2))
    elif kind == 1:
        width = rng.uniform(0.2, 0.45)
        points = box(-width, -1, width, 1, rng.uniform(0, 0.15))
    else:
        angle = np.linspace(0, 2 * np.pi, 9, endpoint=False)
        radius = rng.uniform(0.6, 1, 9)
        points = curve(list(zip(radius * np.cos(angle), radius * np.sin(angle), strict=True)))
    half = np.ptp(points, 0) / 2
    middle = (points.max(0) + points.min(0)) / 2
    form = Outline(
        (Part(((points - middle) / half.max()).astype(np.float32)),),
        (float(half[0] / half.max()), float(half[1] / half.max())),
        float(rng.uniform(0.1, 0.9)),
    )
    mask, _, _ = _raster(form, scale)
    height, width_px = mask.shape
    if rng.random() < 0.6:
        albedo = photograph(rng, height, width_px).astype(np.float32) * np.float32(0.8)
        grey = albedo.mean(2, keepdims=True)
        albedo = grey + (albedo - grey) * np.float32(rng.uniform(0, 0.6))
    else:
        field = np.clip(noise(rng, height, width_px, rng.uniform(5, 60)) * 0.3 + 0.5, 0, 1)[..., None]
        albedo = dull_colour(rng) * field + dull_colour(rng) * (1 - field)
    return _shaded(rng, albedo.astype(np.float32), mask, form, scale, light), form


def colours(rng: np.random.Generator, look: Look) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]:
    """A shade of the look's colour, and the second colour of its pattern: float32 (3,), 0 to 255."""
    hue, saturation, value = (rng.uniform(*bounds) for bounds in _SHADES[look.colour])
    main = 255 * np.array(colorsys.hsv_to_rgb(hue / 360 % 1, saturation, value), np.float32)
    if look.colour in ("black", "white"):
        # Grey: black with white checks is white with black checks.
        second = np.full(3, rng.uniform(125, 175), np.float32)
    elif rng.random() < 0.7:
        second = np.array([1, 1, rng.uniform(0.85, 1)], np.float32) * rng.uniform(205, 250)
    else:
        second = main * np.float32(rng.uniform(0.15, 0.35))
    return main, second


def draw_outline(rng: np.random.Generator, look: Look) -> Outline:
    """The outline of a look's shape."""
    return outline(look.shape, rng)


def _raster(form: Outline, scale: float) -> tuple[npt.NDArray[np.uint8], FloatImage, npt.NDArray[np.uint8]]:
    """Alpha, tone and material number of each pixel."""
    width, height = (int(2 * extent * scale) + 2 * _PAD + 1 for extent in form.extent)
    mask = np.zeros((height, width), np.uint8)
    tones = np.full((height, width), 100, np.uint8)
    materials = np.zeros((height, width), np.uint8)
    names = list(MATERIALS)
    centre = np.array([(width - 1) / 2, (height - 1) / 2])
    for part in form.parts:
        points = [np.round((part.points * scale + centre) * 16).astype(np.int32)]
        solid = part.material != "hole"
        cv2.fillPoly(mask, points, 255 if solid else 0, cv2.LINE_AA, 4)
        if solid:
            cv2.fillPoly(tones, points, round(part.tone * 100), cv2.LINE_AA, 4)
            cv2.fillPoly(materials, points, names.index(part.material) + 1 if part.material else 0, cv2.LINE_8, 4)
    return mask, (tones / 100).astype(np.float32), materials


def _pattern(rng: np.random.Generator, name: str, height: int, width: int, scale: float) -> FloatImage:
    """Weight of the second colour at each pixel, float32 (H, W), [0, 1]; less than half of the surface."""
    if name == "plain":
        return np.zeros((height, width), np.float32)
    if name == "marbled":
        field = noise(rng, height, width, max(8, scale * rng.uniform(0.35, 0.6)), 4)
        return np.clip((np.abs(field) - 0.3) * -6 + 0.5, 0, 1) if rng.random() < 0.3 else np.clip(field * 4 - 2, 0, 1)
    y, x = np.mgrid[0:height, 0:width].astype(np.float32)
    angle = rng.choice([0, np.pi / 2, rng.uniform(0, np.pi)])
    period = scale * rng.uniform(0.3, 0.55)
    u = (x * np.cos(angle) + y * np.sin(angle)) / period + rng.random()
    v = (y * np.cos(angle) - x * np.sin(angle)) / period + rng.random()
    sharp = np.float32(period / 2)  # edges one pixel wide
    if name == "striped":
        distance = 0.25 - np.abs(u - np.floor(u) - 0.5)
    elif name == "dotted":
        v = v + 0.5 * (np.floor(u) % 2)
        distance = rng.uniform(0.26, 0.36) - np.hypot(u - np.floor(u) - 0.5, v - np.floor(v) - 0.5)
    else:
        distance = np.minimum(np.abs(u - np.round(u)), np.abs(v - np.round(v)))
        distance = np.where((np.floor(u) + np.floor(v)) % 2 == 0, distance, -distance)
    return np.clip(distance * 2 * sharp + 0.5, 0, 1).astype(np.float32)


def _shaded(
    rng: np.random.Generator,
    albedo: FloatImage,
    mask: npt.NDArray[np.uint8],
    form: Outline,
    scale: float,
    light: float,
) -> Sprite:
    """Give a flat picture a body: a bulge from its distance to the rim, lit from one side (Lambert, Blinn)."""
    distance = cv2.distanceTransform((mask > 127).astype(np.uint8), cv2.DIST_L2, 3)
    reach = max(2.0, float(distance.max()) * form.roundness)
    height = np.sqrt(np.maximum(0, 1 - (1 - np.minimum(distance / reach, 1)) ** 2)) * reach
    height = cv2.GaussianBlur(height, (0, 0), max(0.8, scale / 40))
    gx, gy = cv2.Sobel(height, cv2.CV_32F, 1, 0, scale=1 / 8), cv2.Sobel(height, cv2.CV_32F, 0, 1, scale=1 / 8)
    steep = np.float32(rng.uniform(0.6, 1.2))
    length = np.sqrt(1 + steep**2 * (gx * gx + gy * gy))
    slope = -(gx * np.float32(np.cos(light)) + gy * np.float32(np.sin(light))) * steep
    raise_ = rng.uniform(0.5, 1.1)  # height of the light
    up, side = np.sin(raise_), np.cos(raise_)
    ambient = rng.uniform(0.35, 0.65)
    diffuse = np.maximum(0, (slope * side + up) / length)
    half_up = np.sqrt((1 + up) / 2)
    half_side = np.sqrt((1 - up) / 2)
    facing = np.clip((slope * half_side + half_up) / length, 0, 1)
    gloss = rng.uniform(0, 130) * facing ** rng.uniform(25, 90)
    lit = albedo * (ambient + (1 - ambient) * diffuse / up)[..., None] + gloss[..., None]
    alpha = mask.astype(np.float32)[..., None] / 255
    rgba = np.concatenate([np.clip(lit, 0, 255) * alpha, alpha * 255], 2)
    return Sprite(np.round(rgba).astype(np.uint8), *shadow(rng, mask, scale), scale, form.extent)


def shadow(
    rng: np.random.Generator, mask: npt.NDArray[np.uint8], scale: float
) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.float64]]:
    """What a silhouette, uint8 (h, w), does to the ground: `Sprite.shadow` and `Sprite.shadow_matrix`."""
    margin = int(scale * 0.3) // 4 * 4 + 8
    wide = cv2.copyMakeBorder(mask, margin, margin, margin, margin, cv2.BORDER_CONSTANT, value=0)
    height, width = max(2, wide.shape[0] // 4), max(2, wide.shape[1] // 4)
    small = cv2.resize(wide, (width, height), interpolation=cv2.INTER_AREA)
    small = cv2.GaussianBlur(small, (0, 0), max(0.6, scale * rng.uniform(0.02, 0.08) / 4))
    factor = 255 - small.astype(np.float32) * rng.uniform(0.25, 0.6)
    sx, sy = wide.shape[1] / width, wide.shape[0] / height
    matrix = np.array([[sx, 0, (sx - 1) / 2 - margin], [0, sy, (sy - 1) / 2 - margin]])
    return factor.astype(np.uint8), matrix
