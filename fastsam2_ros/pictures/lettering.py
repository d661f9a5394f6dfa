"""Text on pictures, in any script that an installed font has."""

from __future__ import annotations

from contextlib import suppress
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw, ImageFont

Colour = tuple[int, int, int]
"""RGB."""

WHITE, BLACK, RED = (255, 255, 255), (0, 0, 0), (190, 20, 20)

_MOST = 40


def write(picture: Image.Image, corner: tuple[float, float], text: str, size: int, fill: Colour) -> None:
    """Text on a filled bar, moved to stay inside the picture's right edge."""
    pen = ImageDraw.Draw(picture)
    letters = font(size)
    width = pen.textlength(text, letters)
    x = max(0.0, min(corner[0], picture.width - width - size * 0.6))
    pen.rectangle((x, corner[1], x + width + size * 0.6, corner[1] + size * 1.4), fill=fill)
    light = 0.299 * fill[0] + 0.587 * fill[1] + 0.114 * fill[2] > 140
    pen.text((x + size * 0.3, corner[1] + size * 0.1), text, fill=BLACK if light else WHITE, font=letters)


def shortened(text: str) -> str:
    """The text on one line, cut where it is too long for a label."""
    text = " ".join(text.split())
    return text if len(text) <= _MOST else text[: _MOST - 1] + "…"


def text_size(frame: npt.NDArray[np.uint8]) -> int:
    """The text size that suits a frame (H, W, 3), pixels."""
    return max(9, round(min(frame.shape[:2]) / 32))


def fitting(text: str, size: int, width: int) -> int:
    """The text size, pixels, or a smaller one at which the text is no wider than `width` pixels."""
    length = font(size).getlength(text) + size * 0.6
    return size if length <= width else max(6, int(size * width / length))


@lru_cache
def font(size: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    """The installed font with the most scripts. Glyphs that it lacks become boxes, and nothing fails."""
    candidates = ["NotoSansCJK-Regular.ttc", "DejaVuSans.ttf"]  # found in the system's font folders
    matplotlib = find_spec("matplotlib")
    if matplotlib and matplotlib.origin:
        candidates.append(str(Path(matplotlib.origin).parent / "mpl-data" / "fonts" / "ttf" / "DejaVuSans.ttf"))
    for candidate in candidates:
        with suppress(OSError):
            return ImageFont.truetype(candidate, size)
    return ImageFont.load_default(size)
