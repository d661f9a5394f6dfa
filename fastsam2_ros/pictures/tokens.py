"""Pictures of what is pruned: which tokens are kept, which cue earned them, the motion and the budget."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator

import cv2
import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw

from fastsam2_ros.errors import InputError
from fastsam2_ros.images import RgbImage
from fastsam2_ros.pictures.lettering import BLACK, RED, WHITE, Colour, fitting, font, shortened, text_size, write
from fastsam2_ros.pictures.overlay import UNTRAINED_NOTE
from fastsam2_ros.results import TokenView, TrackResult

PALETTE: tuple[Colour, ...] = (
    (86, 180, 233),
    (230, 159, 0),
    (0, 158, 115),
    (204, 121, 167),
    (240, 228, 66),
    (213, 94, 0),
    (0, 114, 178),
)
"""Colours of the cues, in their order; distinct to the colour-blind too (Okabe and Ito, "Color Universal Design", 2008)."""

_NO_CUE, _SPREAD = (220, 220, 220), "spread"
"""Of tokens that are kept though all of their cues are zero."""
_DIM = 0.35
"""Light that is left of the frame where tokens are dropped."""
_GLOW = 0.45
"""Light of a kept token where the frame is black, as a share of that where it is white."""
_STRIP = 0.2
"""Light that is left of the frame below the strip."""
_LEAST_CELL = 6
"""Pixels of a token below which no gaps are drawn."""
_QUIET, _BAR = (150, 150, 150), (235, 235, 235)
_ROWS = 3
HISTORY_SECONDS = 5.0
"""What the strip of the picture covers."""


class History:
    """Motion and keep ratio of the last `HISTORY_SECONDS`, for the strip of the picture."""

    def __init__(self) -> None:
        self._samples: deque[tuple[int, float, float]] = deque(maxlen=1000)

    def add(self, result: TrackResult) -> None:
        """Remember one more frame; one whose stamp does not rise begins the history anew."""
        if self._samples and result.stamp_ns <= self._samples[-1][0]:
            self._samples.clear()
        self._samples.append((result.stamp_ns, result.motion, result.keep_ratio))
        while result.stamp_ns - self._samples[0][0] > HISTORY_SECONDS * 1e9:
            self._samples.popleft()

    def __iter__(self) -> Iterator[tuple[float, float, float]]:
        """Share of the covered time, [0, 1], 1 is now; motion; keep ratio; by rising time."""
        for stamp_ns, motion, keep_ratio in self._samples:
            yield 1 - (self._samples[-1][0] - stamp_ns) * 1e-9 / HISTORY_SECONDS, motion, keep_ratio


def draw_tokens(frame: RgbImage, result: TrackResult, history: History) -> RgbImage:
    """The frame, dark where no target keeps the tokens; kept ones have the colour of the cue that contributed most.

    Args:
        frame: uint8 (H, W, 3), RGB; not changed.
        result: of this frame, with `tokens`.
        history: of the frames up to this one.

    Returns:
        uint8 (H, W, 3), RGB.

    Raises:
        InputError: the result is of a frame of another size, or has no `tokens`.
    """
    if frame.shape != (*result.size, 3):
        raise InputError(f"The result is of a frame of {result.size}, not of {frame.shape[:2]} (height, width).")
    if result.tokens is None:
        raise InputError("The result says nothing of tokens; call step(..., view_tokens=True).")
    kept, cue = _union(result.tokens)
    canvas = frame.copy() if kept.all() else _tinted(frame, kept, cue)
    for item in result.objects:
        _outline(canvas, item.mask)
    picture = Image.fromarray(canvas)
    strip = _Strip(picture, result.tokens.cues, _told(result.tokens, kept))
    if strip.fits:
        strip.draw(result, result.tokens.full_motion, history)
    _label(picture, result, result.tokens, bottom=strip.top if strip.fits else picture.height)
    if result.untrained:
        write(picture, (0, 0), UNTRAINED_NOTE, fitting(UNTRAINED_NOTE, text_size(frame), picture.width), RED)
    return np.array(picture)


def _union(view: TokenView) -> tuple[npt.NDArray[np.bool_], npt.NDArray[np.int8]]:
    """Tokens that any target keeps, and their cue for the first target that does; a single kept token without targets."""
    if not view.targets:
        return np.ones((1, 1), np.bool_), np.full((1, 1), -1, np.int8)
    kept, cue = np.zeros_like(view.targets[0].kept), np.full_like(view.targets[0].cue, -1)
    for target in view.targets:
        cue = np.where(target.kept & ~kept, target.cue, cue)
        kept = kept | target.kept
    return kept, cue


def _told(view: TokenView, kept: npt.NDArray[np.bool_]) -> str:
    """How many are kept, in words."""
    if not view.targets:
        return "no memory attention"
    count = np.count_nonzero(kept)
    return f"all {kept.size} tokens" if count == kept.size else f"{count} of {kept.size} tokens"


def _tinted(frame: RgbImage, kept: npt.NDArray[np.bool_], cue: npt.NDArray[np.int8]) -> RgbImage:
    """The frame, dimmed, and on it the light of its kept tokens in their colours."""
    height, width = frame.shape[:2]
    colours = np.array([*(PALETTE[index % len(PALETTE)] for index in range(cue.max() + 1)), _NO_CUE], np.uint8)
    tokens = np.where(kept[..., None], colours[cue], np.uint8(0))
    grey = cv2.cvtColor(cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY), cv2.COLOR_GRAY2RGB)
    light = cv2.convertScaleAbs(grey, alpha=1 - _GLOW, beta=255 * _GLOW)
    large = np.asarray(cv2.resize(tokens, (width, height), interpolation=cv2.INTER_NEAREST), np.uint8)
    rows, columns = kept.shape
    if min(height / rows, width / columns) >= _LEAST_CELL:
        # A dark line where one token ends and the next begins.
        large[np.flatnonzero(np.diff(np.arange(height) * rows // height)) + 1] //= 2
        large[:, np.flatnonzero(np.diff(np.arange(width) * columns // width)) + 1] //= 2
    tint = cv2.multiply(large, light, scale=1 / 255)
    # The frame's own colours are made weak: a red thing under the blue of a cue would look like another cue's purple.
    pale = cv2.addWeighted(frame, 0.4, grey, 0.6, 0)
    return np.asarray(cv2.addWeighted(pale, _DIM, tint, 1 - _DIM, 0), np.uint8)


def _outline(canvas: RgbImage, mask: npt.NDArray[np.bool_]) -> None:
    """The mask's contour, white on black: seen on every tint."""
    contours, _ = cv2.findContours(mask.astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    width = max(1, text_size(canvas) // 8)
    cv2.drawContours(canvas, contours, -1, BLACK, width * 3)
    cv2.drawContours(canvas, contours, -1, WHITE, width)


def _label(picture: Image.Image, result: TrackResult, view: TokenView, bottom: int) -> None:
    """Id, description and keep ratio above each target's box, moved down where another label is in the way."""
    size = max(9, text_size(np.asarray(picture)) * 7 // 8)
    ratios = {target.id: target.keep_ratio for target in view.targets}
    taken: list[tuple[float, float, float]] = []
    height = size * 1.4
    for item in result.objects:
        if item.box is None:
            continue
        ratio = f"  {ratios[item.id]:.0%}" if item.id in ratios else ""
        text = f"{item.id} {shortened(item.description)}{ratio}"
        width = font(size).getlength(text) + size * 0.6
        x = max(0.0, min(item.box[0], picture.width - width))
        y = max(0.0, min(item.box[1] - height - size // 2, bottom - height))  # clear of the outline
        while any(x < right and left < x + width and abs(y - top) < height for left, right, top in taken):
            y += height
        if y + height <= bottom:
            taken.append((x, x + width, y))
            write(picture, (x, y), text, size, BLACK)


class _Strip:
    """Legend, and bars and history of motion and budget, on a dark ground at the picture's bottom.

    Args:
        picture: drawn on.
        cues: names for the legend.
        told: how many tokens are kept.

    Attributes:
        top: its first row of pixels.
        fits: whether the picture is large enough for it to be read.
    """

    def __init__(self, picture: Image.Image, cues: tuple[str, ...], told: str) -> None:
        self._picture, self._told = picture, told
        self._colours = {**{name: PALETTE[index % len(PALETTE)] for index, name in enumerate(cues)}, _SPREAD: _NO_CUE}
        wanted = text_size(np.asarray(picture))
        legend = self._legend_width(wanted)
        self._size = wanted if legend <= picture.width else int(wanted * picture.width / legend)
        self._row = round(self._size * 1.5)
        self._pad = max(1, self._size // 2)
        self.top = picture.height - _ROWS * self._row - 2 * self._pad
        self.fits = self._size >= 7 and self.top >= picture.height // 2

    def draw(self, result: TrackResult, full_motion: float, history: History) -> None:
        """Darken the ground and draw everything."""
        box = (0, self.top, self._picture.width, self._picture.height)
        ground = self._picture.crop(box)
        self._picture.paste(Image.fromarray(cv2.convertScaleAbs(np.asarray(ground), alpha=_STRIP)), box)
        self._legend()
        motions = [(place, motion / full_motion) for place, motion, _ in history]
        self._measure(1, "motion", f"{result.motion:.2f}/s", result.motion / full_motion, motions)
        self._measure(2, "budget", f"{result.keep_ratio:.0%}", result.keep_ratio, [(p, keep) for p, _, keep in history])
        if motions:
            self._text(self._measure_columns()[2] + self._size // 3, 1, f"{HISTORY_SECONDS:g} s", _QUIET)

    def _legend_width(self, size: int) -> float:
        letters = font(size)
        return (
            sum(letters.getlength(name) + size * 2.1 for name in self._colours)
            + letters.getlength(self._told)
            + size * 2
        )

    def _legend(self) -> None:
        pen, size, letters = ImageDraw.Draw(self._picture), self._size, font(self._size)
        x, y = float(self._pad), self.top + self._pad
        for name, colour in self._colours.items():
            top = y + (self._row - size) // 2
            pen.rectangle((x, top, x + size - 1, top + size - 1), fill=colour)
            self._text(x + size * 1.4, 0, name)
            x += letters.getlength(name) + size * 2.1
        self._text(self._picture.width - self._pad - letters.getlength(self._told), 0, self._told)

    def _measure_columns(self) -> tuple[int, int, int, int]:
        """Where bar, number and history begin, and where the history ends."""
        letters, width = font(self._size), self._picture.width - 2 * self._pad
        bar = self._pad + round(letters.getlength("motion") + self._size * 0.6)
        number = bar + round(width * 0.22 + self._size * 0.6)
        return bar, number, number + round(letters.getlength("00.00/s") + self._size * 0.6), self._pad + width

    def _measure(self, row: int, name: str, number: str, share: float, past: list[tuple[float, float]]) -> None:
        """A row: name, bar, number, and how it came to it."""
        pen = ImageDraw.Draw(self._picture)
        bar, text, left, right = self._measure_columns()
        top = self.top + self._pad + row * self._row + round(self._row * 0.12)
        bottom = top + round(self._row * 0.76)
        self._text(self._pad, row, name)
        end = text - round(self._size * 0.6)
        pen.rectangle((bar, top, end, bottom), outline=_QUIET)
        pen.rectangle((bar, top, bar + (end - bar) * min(1.0, share), bottom), fill=_BAR)
        self._text(text, row, number)
        pen.line((left, bottom, right, bottom), fill=_QUIET)
        for (place, value), (then, _) in zip(past, [*past[1:], (1.0, 0.0)], strict=True):
            start, stop = left + place * (right - left), left + then * (right - left)
            pen.rectangle((start, bottom - (bottom - top) * min(1.0, value), stop, bottom), fill=_QUIET)

    def _text(self, x: float, row: int, text: str, fill: Colour = WHITE) -> None:
        y = self.top + self._pad + (row + 0.5) * self._row
        ImageDraw.Draw(self._picture).text((x, y), text, fill=fill, font=font(self._size), anchor="lm")
