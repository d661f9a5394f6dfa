"""Which everyday colour a real thing has, and the same thing in another."""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

from fastsam2_ros.images import RgbImage
from fastsam2_ros.language.vocabulary import COLOURS

UNKNOWN = -1
CLEAR_COLOUR = 0.6
"""Share of a thing's pixels of one colour from which on it is said to have it."""
_PAINTS = {
    "red": ((-12, 8), (0.7, 1.0), (0.45, 0.9)),
    "orange": ((18, 34), (0.75, 1.0), (0.75, 1.0)),
    "yellow": ((46, 62), (0.6, 1.0), (0.75, 1.0)),
    "green": ((85, 155), (0.5, 1.0), (0.3, 0.8)),
    "blue": ((195, 245), (0.5, 1.0), (0.35, 0.9)),
    "purple": ((265, 295), (0.45, 0.9), (0.35, 0.8)),
    "pink": ((310, 345), (0.25, 0.55), (0.8, 1.0)),
    "brown": ((14, 32), (0.5, 0.85), (0.25, 0.5)),
    "black": ((0, 360), (0.0, 0.25), (0.06, 0.16)),
    "white": ((0, 360), (0.0, 0.08), (0.85, 1.0)),
    "gray": ((0, 360), (0.0, 0.08), (0.35, 0.6)),
}
"""Hue in degrees, saturation and value, from and to."""


def colour_of(pixels: npt.NDArray[np.uint8]) -> int:
    """The everyday colour that most of the pixels, uint8 (n, 3), have; `UNKNOWN` where there is none."""
    hue, saturation, value = cv2.cvtColor(pixels[None], cv2.COLOR_RGB2HSV)[0].T.astype(float) * np.array(
        [[2.0], [1 / 255], [1 / 255]]
    )
    coloured = (saturation > 0.4) & (value > 0.3)
    warm = (hue >= 12) & (hue < 42)
    masks = {
        "black": value < 0.22,
        "white": (saturation < 0.16) & (value > 0.75),
        "gray": (saturation < 0.14) & (value >= 0.25) & (value <= 0.7),
        "red": coloured & ((hue >= 344) | (hue < 12)),
        "orange": coloured & warm & (value > 0.7) & (saturation > 0.6),
        "brown": coloured & warm & (value <= 0.6),
        "yellow": coloured & (hue >= 44) & (hue < 66) & (value > 0.5),
        "green": coloured & (hue >= 76) & (hue < 165),
        "blue": coloured & (hue >= 185) & (hue < 255),
        "purple": coloured & (hue >= 262) & (hue < 300),
        "pink": (saturation > 0.2) & (value > 0.6) & (hue >= 305) & (hue < 344),
    }
    shares = {name: float(mask.mean()) for name, mask in masks.items()}
    best = max(shares, key=lambda name: shares[name])
    return COLOURS.index(best) if shares[best] >= CLEAR_COLOUR else UNKNOWN


def recoloured(rng: np.random.Generator, image: RgbImage, mask: npt.NDArray[np.bool_], colour: str) -> RgbImage:
    """The picture, uint8 (H, W, 3), with what is in the mask, bool (H, W), in another colour; light and shade stay."""
    light = image.astype(np.float32).mean(2) / 255
    relative = light / max(float(np.median(light[mask])), 0.1)
    hue, saturation, value = (rng.uniform(*each) for each in _PAINTS[colour])
    planes = np.full_like(light, hue % 360), np.full_like(light, saturation), np.clip(value * relative**0.8, 0, 1)
    painted = 255 * cv2.cvtColor(np.dstack(planes).astype(np.float32), cv2.COLOR_HSV2RGB)
    share = cv2.GaussianBlur(mask.astype(np.float32), (0, 0), 1.0)[..., None]
    return np.asarray(image + share * (painted - image), np.uint8)
