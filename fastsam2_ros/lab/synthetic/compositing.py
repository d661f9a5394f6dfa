"""Laying sprites and their shadows over an image, only where they are."""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

from fastsam2_ros.images import RgbImage
from fastsam2_ros.lab.synthetic import motion
from fastsam2_ros.lab.synthetic.sprites import Sprite


def paste(
    image: RgbImage,
    sprite: Sprite,
    place: npt.NDArray[np.float64],
    kernel: npt.NDArray[np.float32] | None,
    bend: float = 0.0,
) -> tuple[int, tuple[slice, slice], npt.NDArray[np.bool_]] | None:
    """Lay a sprite over an image, in place.

    Args:
        image: uint8 (H, W, 3).
        sprite: what is laid.
        place: (2, 3) from outline units to pixels.
        kernel: motion blur, or None.
        bend: x is moved by so much times the square of y, in outline units, before `place` applies.

    Returns:
        pixels of the whole silhouette, also outside of the image; rows and columns of the image that were touched, and
        the sharp silhouette there. None where nothing of it is in the image.
    """
    pad = 1 if kernel is None else max(kernel.shape) // 2 + 1
    pad += int(np.ceil(abs(bend) * sprite.extent[1] ** 2 * np.linalg.norm(place[:, 0])))
    matrix = sprite.matrix(place)
    frame = _window(matrix, sprite.rgba.shape[:2], pad)
    inside = _inside(frame, image.shape[:2])
    if inside is None:
        return None
    patch = _bent(sprite, matrix, frame, bend) if bend else _warp(sprite.rgba, matrix, frame, 0)
    silhouette = patch[..., 3] > 127
    area = int(np.count_nonzero(silhouette))
    if kernel is not None:
        patch = np.asarray(cv2.filter2D(patch, -1, kernel, borderType=cv2.BORDER_CONSTANT), np.uint8)
    rows, columns, cut = inside
    patch = patch[cut]
    under = np.repeat(255 - patch[..., 3:], 3, 2)
    part = cv2.multiply(image[rows, columns], under, scale=1 / 255)
    image[rows, columns] = np.asarray(cv2.add(part, np.ascontiguousarray(patch[..., :3])), np.uint8)
    return area, (rows, columns), silhouette[cut]


def paste_shadow(
    image: RgbImage, sprite: Sprite, place: npt.NDArray[np.float64], offset: npt.NDArray[np.float64]
) -> None:
    """Darken the ground under a thing, in place; `offset` in outline units."""
    matrix = shadow_matrix(sprite, place, offset)
    frame = _window(matrix, sprite.shadow.shape[:2], 1)
    inside = _inside(frame, image.shape[:2])
    if inside is not None:
        rows, columns, cut = inside
        factor = _warp(sprite.shadow, matrix, frame, 255)[cut]
        darker = cv2.multiply(image[rows, columns], cv2.merge([factor] * 3), scale=1 / 255)
        image[rows, columns] = np.asarray(darker, np.uint8)


def shadow_matrix(
    sprite: Sprite, place: npt.NDArray[np.float64], offset: npt.NDArray[np.float64]
) -> npt.NDArray[np.float64]:
    """(2, 3) from pixels of a sprite's shadow to those of the image."""
    size = float(np.sqrt(abs(np.linalg.det(place[:, :2]))))
    moved = place.copy()
    moved[:, 2] += offset * size
    return motion.compose(sprite.matrix(moved), sprite.shadow_matrix)


def _window(matrix: npt.NDArray[np.float64], shape: tuple[int, ...], pad: int) -> tuple[int, int, int, int]:
    """Left, top, right, bottom of a warped picture."""
    height, width = shape
    corners = np.array([[0, 0, 1], [width, 0, 1], [0, height, 1], [width, height, 1]]) @ matrix.T
    (left, top), (right, bottom) = np.floor(corners.min(0)) - pad, np.ceil(corners.max(0)) + pad
    return int(left), int(top), int(right), int(bottom)


def _inside(
    window: tuple[int, int, int, int], shape: tuple[int, ...]
) -> tuple[slice, slice, tuple[slice, slice]] | None:
    """Rows and columns of the image, and of the window, where both are."""
    left, top, right, bottom = window
    x0, y0, x1, y1 = max(left, 0), max(top, 0), min(right, shape[1]), min(bottom, shape[0])
    if x0 >= x1 or y0 >= y1:
        return None
    return slice(y0, y1), slice(x0, x1), (slice(y0 - top, y1 - top), slice(x0 - left, x1 - left))


def _warp(
    picture: npt.NDArray[np.uint8], matrix: npt.NDArray[np.float64], window: tuple[int, int, int, int], border: int
) -> npt.NDArray[np.uint8]:
    left, top, right, bottom = window
    moved = matrix - np.array([[0, 0, left], [0, 0, top]])
    warped = cv2.warpAffine(
        picture, moved, (right - left, bottom - top), flags=cv2.INTER_LINEAR, borderValue=[border] * 4
    )
    return np.asarray(warped, np.uint8)


def _bent(
    sprite: Sprite, matrix: npt.NDArray[np.float64], window: tuple[int, int, int, int], bend: float
) -> npt.NDArray[np.uint8]:
    left, top, right, bottom = window
    x, y = np.arange(left, right), np.arange(top, bottom)[:, None]
    back = motion.inverse(matrix)
    u, v = (row[0] * x + row[1] * y + row[2] for row in back)
    u = u - bend / sprite.pixels_per_unit * (v - (sprite.rgba.shape[0] - 1) / 2) ** 2
    warped = cv2.remap(sprite.rgba, u.astype(np.float32), v.astype(np.float32), cv2.INTER_LINEAR, borderValue=[0] * 4)
    return np.asarray(warped, np.uint8)
