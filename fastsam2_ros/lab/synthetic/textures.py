"""Surfaces and backgrounds: noise of several octaves, wood, tiles, gradients, and real photographs.

The photographs ship inside scikit-image (skimage.data); nothing is downloaded.
"""

from __future__ import annotations

from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt
from PIL import Image

from fastsam2_ros.errors import ModelError
from fastsam2_ros.images import RgbImage

PHOTOGRAPHS = (
    *("astronaut.png", "chelsea.png", "coffee.png", "motorcycle_left.png", "rocket.jpg", "camera.png"),
    *("brick.png", "grass.png", "gravel.png", "hubble_deep_field.jpg", "ihc.png", "page.png", "coins.png"),
)
"""Files of skimage.data that every wheel holds. Scenes first, surfaces after."""

FloatImage = npt.NDArray[np.float32]


def noise(rng: np.random.Generator, height: int, width: int, cell: float, octaves: int = 4) -> FloatImage:
    """Smooth noise of mean 0 and standard deviation about 1, float32 (H, W).

    Args:
        rng: where chance comes from.
        height, width: pixels.
        cell: size of the coarsest blobs, pixels.
        octaves: each further one has half the size and .55 of the height of the one before.
    """
    total = np.zeros((height, width), np.float32)
    weight, power = 1.0, 0.0
    for _ in range(octaves):
        rows, columns = int(height / cell) + 3, int(width / cell) + 3
        grid = rng.standard_normal((rows, columns), np.float32)
        # Cut out of a larger picture, so that blobs do not line up with the frame.
        big = cv2.resize(grid, (round(columns * cell), round(rows * cell)), interpolation=cv2.INTER_CUBIC)
        top, left = rng.integers(0, big.shape[0] - height + 1), rng.integers(0, big.shape[1] - width + 1)
        total += weight * big[top : top + height, left : left + width]
        power += weight * weight
        weight *= 0.55
        cell /= 2
        if cell < 2:
            break
    return total * np.float32(1.5 / np.sqrt(power))


def photograph(rng: np.random.Generator, height: int, width: int) -> RgbImage:
    """A random part of a photograph, mirrored, scaled and toned: uint8 (H, W, 3)."""
    weights = np.array([3.0] * 6 + [1.0] * (len(PHOTOGRAPHS) - 6))
    image = _photo(PHOTOGRAPHS[rng.choice(len(PHOTOGRAPHS), p=weights / weights.sum())])
    share = rng.uniform(0.35, 1.0)
    scale = min(image.shape[0] / height, image.shape[1] / width) * share
    rows, columns = max(8, int(height * scale)), max(8, int(width * scale))
    top, left = rng.integers(0, image.shape[0] - rows + 1), rng.integers(0, image.shape[1] - columns + 1)
    part = image[top : top + rows, left : left + columns]
    if rng.random() < 0.5:
        part = part[:, ::-1]
    part = np.asarray(cv2.resize(part, (width, height), interpolation=cv2.INTER_LINEAR), np.uint8)
    return tone(rng, part, 0.5)


def background(rng: np.random.Generator, height: int, width: int) -> RgbImage:
    """A scene's ground without the things on it: uint8 (H, W, 3)."""
    kind = rng.choice(5, p=[0.42, 0.16, 0.14, 0.14, 0.14])
    if kind == 0:
        return photograph(rng, height, width)
    make = (_rough, _wood, _tiles, _room)[kind - 1]
    image = make(rng, height, width)
    if rng.random() < 0.5:
        grain = noise(rng, height, width, rng.uniform(4, 12), 2) * rng.uniform(1, 7)
        image = image + grain[..., None]
    return np.clip(image, 0, 255).astype(np.uint8)


def tone(rng: np.random.Generator, image: RgbImage, amount: float) -> RgbImage:
    """Another brightness, contrast, gamma and hue; `amount` 0 nothing, 1 much."""
    gamma = np.exp(rng.normal(0, 0.4 * amount))
    gains = np.exp(rng.normal(0, 0.25 * amount, 3)) * np.exp(rng.normal(0, 0.25 * amount))
    low = rng.uniform(0, 50 * amount)
    ramp = (np.arange(256) / 255.0) ** gamma
    table = np.clip(low + ramp[:, None] * gains * (255 - low), 0, 255).astype(np.uint8)[None]
    return np.asarray(cv2.LUT(np.ascontiguousarray(image), table), np.uint8)


def dull_colour(rng: np.random.Generator) -> npt.NDArray[np.float32]:
    """RGB of little saturation, float32 (3,), 0 to 255."""
    grey = rng.uniform(40, 215)
    tint = rng.normal(0, 1, 3)
    return np.clip(grey + (tint - tint.mean()) * rng.uniform(3, 22), 10, 245).astype(np.float32)


@lru_cache
def _photo(name: str) -> RgbImage:
    # Read as files: importing skimage takes longer than a clip.
    package = find_spec("skimage")
    path = Path(package.origin or "").parent / "data" / name if package else Path(name)
    if not path.is_file():
        raise ModelError(f"The photograph {name} of scikit-image is missing: pip install 'fastsam2_ros[lab]'.")
    with Image.open(path) as image:
        return np.asarray(image.convert("RGB"))


def _blend(weight: FloatImage, first: npt.NDArray[np.float32], second: npt.NDArray[np.float32]) -> FloatImage:
    return (first + weight[..., None] * (second - first)).astype(np.float32)


def _rough(rng: np.random.Generator, height: int, width: int) -> FloatImage:
    field = noise(rng, height, width, rng.uniform(20, 160), 5)
    image = _blend(np.clip(field * 0.3 + 0.5, 0, 1), dull_colour(rng), dull_colour(rng))
    if rng.random() < 0.4:
        spots = np.clip(noise(rng, height, width, rng.uniform(8, 30), 3) * 2 - 2, 0, 1)
        image = image + spots[..., None] * (dull_colour(rng) - image)
    return image


def _wood(rng: np.random.Generator, height: int, width: int) -> FloatImage:
    """Rings of a trunk cut along its length, bent by noise; planks with gaps."""
    y, x = np.mgrid[0:height, 0:width].astype(np.float32)
    along, across = (x, y) if rng.random() < 0.5 else (y, x)
    plank = rng.uniform(60, 220)
    number = np.floor(across / plank)
    shift = rng.uniform(0, 100, int(number.max()) + 1).astype(np.float32)[number.astype(int)]
    bend = noise(rng, height, width, 120, 3) * 6
    rings = np.sin((across + bend + shift) * rng.uniform(0.15, 0.6) + 0.01 * along + shift)
    light = np.array([rng.uniform(130, 220), rng.uniform(90, 165), rng.uniform(50, 120)], np.float32)
    image = _blend((rings * 0.3 + 0.5).astype(np.float32), light, light * rng.uniform(0.55, 0.85))
    image *= (1 + 0.1 * np.sin(shift * 7))[..., None]
    gap = np.abs(across / plank - np.round(across / plank)) * plank < 1.2
    image[gap] *= 0.45
    return image


def _tiles(rng: np.random.Generator, height: int, width: int) -> FloatImage:
    y, x = np.mgrid[0:height, 0:width].astype(np.float32)
    angle = rng.choice([0, np.pi / 4, rng.uniform(0, np.pi)])
    u, v = x * np.cos(angle) + y * np.sin(angle), y * np.cos(angle) - x * np.sin(angle)
    size = rng.uniform(30, 130)
    u, v = u / size / rng.uniform(1, 2.2), v / size
    if rng.random() < 0.5:
        u = u + 0.5 * (np.floor(v) % 2)
    key = (np.floor(u) * 7919 + np.floor(v) * 104729).astype(np.int64)
    table = rng.normal(0, rng.uniform(2, 14), 251).astype(np.float32)
    image = dull_colour(rng) + table[key % 251][..., None]
    if rng.random() < 0.3:
        odd = (np.floor(u) + np.floor(v)) % 2 == 1
        image[odd] = dull_colour(rng)
    joint = np.minimum(np.abs(u - np.round(u)), np.abs(v - np.round(v))) * size < rng.uniform(0.8, 2.5)
    image[joint] = dull_colour(rng)
    return (image + noise(rng, height, width, 60, 4)[..., None] * 5).astype(np.float32)


def _room(rng: np.random.Generator, height: int, width: int) -> FloatImage:
    """A wall and a table or floor before it, each with its own gradient."""
    y, x = np.mgrid[0:height, 0:width].astype(np.float32)
    edge = height * rng.uniform(0.2, 0.65) + (x - width / 2) * rng.normal(0, 0.08)
    wall = _blend(y / height, dull_colour(rng), dull_colour(rng))
    below = rng.integers(3)
    floor = (_wood, _tiles, _rough)[below](rng, height, width)
    floor = floor * (0.7 + 0.5 * y / height)[..., None]
    image = np.where((y < edge)[..., None], wall, floor)
    image[np.abs(y - edge) < 2] *= 0.6
    return (image + noise(rng, height, width, 90, 4)[..., None] * rng.uniform(2, 8)).astype(np.float32)
