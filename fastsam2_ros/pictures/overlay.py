"""Pictures of what was tracked. Pure functions on arrays."""

from __future__ import annotations

import colorsys

import cv2
import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw

from fastsam2_ros.errors import InputError
from fastsam2_ros.images import RgbImage
from fastsam2_ros.pictures.lettering import BLACK, RED, fitting, shortened, text_size, write
from fastsam2_ros.results import TrackedObject, TrackResult, TrackState

UNTRAINED_NOTE = "UNTRAINED WEIGHTS: masks mean nothing"

_MASK_OPACITY = 0.45


def color_of(track_id: int) -> tuple[int, int, int]:
    """A strong RGB colour, far from those of neighbouring ids (golden-ratio steps of the hue)."""
    red, green, blue = colorsys.hsv_to_rgb((0.58 + track_id * 0.618034) % 1.0, 0.85, 1.0)
    return round(red * 255), round(green * 255), round(blue * 255)


def draw(frame: RgbImage, result: TrackResult) -> RgbImage:
    """The frame with masks, contours, boxes, labels and a status line drawn on it.

    Args:
        frame: uint8 (H, W, 3), RGB; not changed.
        result: of this frame.

    Returns:
        uint8 (H, W, 3), RGB.

    Raises:
        InputError: the result is of a frame of another size.
    """
    if frame.shape != (*result.size, 3):
        raise InputError(f"The result is of a frame of {result.size}, not of {frame.shape[:2]} (height, width).")
    canvas = frame.copy()
    for item in result.objects:
        _draw_mask(canvas, item)
    picture = Image.fromarray(canvas)
    pen = ImageDraw.Draw(picture)
    size = text_size(frame)
    for item in result.objects:
        if item.box is not None:
            x, y, width, height = item.box
            pen.rectangle((x, y, x + width - 1, y + height - 1), outline=color_of(item.id), width=max(1, size // 8))
    for item in result.objects:
        if item.box is not None:
            # Above the box, or inside where there is no room.
            top = item.box[1] - size * 1.4
            write(picture, (item.box[0], top if top >= 0 else item.box[1]), _label(item), size, color_of(item.id))
    _draw_status(picture, result, size)
    if result.untrained:
        write(picture, (0, 0), UNTRAINED_NOTE, fitting(UNTRAINED_NOTE, size, result.size[1]), RED)
    return np.array(picture)


def _draw_mask(canvas: npt.NDArray[np.uint8], item: TrackedObject) -> None:
    if not item.mask.any():
        return
    color = color_of(item.id)
    # Only the mask's own pixels are blended: a full-frame blend would cost as much for a small target as for a large.
    pixels = canvas[item.mask].astype(np.float32)
    canvas[item.mask] = (pixels * (1 - _MASK_OPACITY) + np.array(color) * _MASK_OPACITY).astype(np.uint8)
    contours, _ = cv2.findContours(item.mask.astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    cv2.drawContours(canvas, contours, -1, color, max(1, text_size(canvas) // 8))


def _label(item: TrackedObject) -> str:
    return f"{item.id} {shortened(item.description)}  {item.state.name.lower()} {item.score:.2f}"


def _draw_status(picture: Image.Image, result: TrackResult, size: int) -> None:
    """One line at the bottom: state of the targets without a box, keep ratio, motion, milliseconds by stage."""
    unseen = [f"{item.id} {item.state.name.lower()}" for item in result.objects if item.box is None]
    parts = [
        ", ".join(unseen) or ("" if result.objects else TrackState.SEARCHING.name.lower()),
        f"keep {result.keep_ratio:.0%} ({result.tokens_kept}/{result.tokens_total})",
        f"motion {result.motion:.2f}/s",
        " ".join(f"{stage} {seconds * 1000:.0f}" for stage, seconds in result.stage_seconds.items() if seconds)
        + (" ms" if any(result.stage_seconds.values()) else ""),
    ]
    text = "   ".join(filter(None, parts))
    height, width = result.size
    size = fitting(text, size * 3 // 4, width)
    ImageDraw.Draw(picture).rectangle((0, height - round(size * 1.4), width, height), fill=BLACK)
    write(picture, (0, height - round(size * 1.4)), text, size, BLACK)
