"""Single things before backgrounds with their words: what a CLIP is trained on."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from fastsam2_ros.synthetic import motion
from fastsam2_ros.synthetic.camera import draw_optics, expose
from fastsam2_ros.synthetic.compositing import paste, paste_shadow
from fastsam2_ros.synthetic.scene import shadow_offset
from fastsam2_ros.synthetic.sprites import draw_outline, dull_thing, thing
from fastsam2_ros.synthetic.textures import background
from fastsam2_ros.synthetic.vocabulary import Look, draw_look

_CANVAS = 512
"""Backgrounds are drawn this large, and give many crops."""
_CROPS_PER_BACKGROUND = 12


@dataclass(frozen=True)
class Crops:
    """Pictures of one thing each.

    Attributes:
        images: uint8 (n, S, S, 3), RGB.
        masks: bool (n, S, S), the thing's visible pixels.
        looks: n times what it is; `vocabulary.describe` turns one into phrases. Its size says nothing here.
    """

    images: npt.NDArray[np.uint8]
    masks: npt.NDArray[np.bool_]
    looks: tuple[Look, ...]


def crops(seed: int, count: int, size: int = 112) -> Crops:
    """Draw things, each once, mostly whole and not small; the same for the same arguments.

    Args:
        seed: 0 or more; see `world.HELD_OUT_SEED`.
        count: how many, 1 or more.
        size: side of the square pictures, pixels, up to 512.
    """
    rng = np.random.default_rng((seed, 0))
    images = np.empty((count, size, size, 3), np.uint8)
    masks = np.zeros((count, size, size), np.bool_)
    looks = []
    ground = np.empty(0, np.uint8)
    for number in range(count):
        if number % _CROPS_PER_BACKGROUND == 0:
            ground = background(rng, _CANVAS, _CANVAS)
        top, left = rng.integers(0, _CANVAS - size + 1, 2)
        image = np.ascontiguousarray(ground[top : top + size, left : left + size])
        look = draw_look(rng)
        masks[number] = _place(rng, image, look)
        optics = draw_optics(rng, int(rng.integers(1, 4)), np.array([0.0, 1 / 30]), (size, size))
        images[number] = expose(rng, image, optics, 0)
        looks.append(look)
    return Crops(images, masks, tuple(looks))


def _place(rng: np.random.Generator, image: npt.NDArray[np.uint8], look: Look) -> npt.NDArray[np.bool_]:
    """Draw a thing in the picture's middle, in place, at times with something dull beside or before it; its mask."""
    size = image.shape[0]
    light = rng.uniform(0, 2 * np.pi)
    scale = size * rng.uniform(0.22, 0.5)
    angle = float(rng.normal(0, 0.25) if rng.random() < 0.7 else rng.uniform(-np.pi, np.pi))
    centre = size / 2 + rng.normal(0, 0.05, 2) * size
    place = motion.poses(rng, centre[None], np.zeros(1), scale, angle, motion.MANNERS[3])[0]
    sprite = thing(rng, look, draw_outline(rng, look), scale, light - angle)
    offset = shadow_offset(rng, light)
    mask = np.zeros((size, size), np.bool_)
    paste_shadow(image, sprite, place, offset)
    if (laid := paste(image, sprite, place, None)) is not None:
        mask[laid[1]][laid[2]] = True
    if rng.random() < 0.3:
        extent = size * rng.uniform(0.08, 0.3)
        sprite, _ = dull_thing(rng, extent, light)
        way = rng.uniform(0, 2 * np.pi)
        spot = centre + (0.75 * scale + extent) * np.array([np.cos(way), np.sin(way)])
        hider = np.array([[extent, 0, spot[0]], [0, extent, spot[1]]])
        paste_shadow(image, sprite, hider, offset)
        if (laid := paste(image, sprite, hider, None)) is not None:
            mask[laid[1]][laid[2]] = False
    return mask
