"""How much moves, from two consecutive frames and their stamps, with the camera's own motion taken out.

Dense optical flow (DIS, Kroeger et al., ECCV 2016, through OpenCV) on a small grey picture; the camera is the similarity
transform that most of the background agrees on (RANSAC); what is left over is motion of things.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from fastsam2_ros.streaming.warp import STILL

WIDTH = 192
"""Width of the small grey picture, pixels."""
LONGEST = 4
"""The small picture's longer side over its shorter one, at most. Its least height so is 48: below 32, DIS ends the process."""
GRID_STEP = 6
"""Every so many pixels a flow vector votes for the camera's transform."""
NOMINAL_SECONDS = 1 / 30
"""Interval that is assumed until there were two stamps."""
MAX_SECONDS = 2.0
"""Stamps further apart than this say nothing of speed; the interval is cut to it."""
_Point = tuple[float, float]


@dataclass(frozen=True)
class Motion:
    """What moved between the last frame and this one.

    Attributes:
        seconds: since the last frame.
        elapsed: seconds since the frame that this one is compared with: those of the frames that were passed over too.
        camera: float64, (2, 3), where a point of the background of the last frame is in this one; x and y as shares of
            the frame's width and height.
        anywhere: how far things moved against the background, wherever they are, frame diagonals. A frame longer than
            `LONGEST` counts as squeezed to that: along its short side a small motion is a large share of it.
        displacements: the same inside each target; None for one whose mask is empty.
        revealed: share of the frame that the camera's motion newly shows, per second.
        stamp_ok: False where the stamp did not rise.
    """

    seconds: float
    elapsed: float
    camera: npt.NDArray[np.float64]
    anywhere: float
    displacements: tuple[float | None, ...]
    revealed: float
    stamp_ok: bool = True

    @property
    def displacement(self) -> float:
        """The largest one among the targets; where none of them is seen, `anywhere`."""
        return max((each for each in self.displacements if each is not None), default=self.anywhere)

    @property
    def reaches(self) -> tuple[float, ...]:
        """How far each target may have moved: its own displacement; `anywhere` for one that was not seen."""
        return tuple(self.anywhere if each is None else each for each in self.displacements)

    @property
    def target(self) -> float:
        """Speed of the fastest target, or of anything where none is seen, frame diagonals per second."""
        return self.displacement / self.elapsed

    @property
    def magnitude(self) -> float:
        """How much moves, per second: the fastest target, plus what the camera's motion newly shows."""
        return self.target + self.revealed

    def magnitude_of(self, target: int) -> float:
        """What the budget of a target goes by, per second: its own speed - that of anything, where it is not seen - plus
        what the camera's motion newly shows.
        """
        return self.reaches[target] / self.elapsed + self.revealed


def small_size(height: int, width: int, small_width: int = WIDTH) -> tuple[int, int]:
    """Height and width of a frame's small picture: in the frame's own proportions, or stretched to those of `LONGEST`."""
    return min(small_width * LONGEST, max(small_width // LONGEST, round(small_width * height / width))), small_width


def reduced(picture: npt.NDArray[np.uint8], height: int, width: int) -> npt.NDArray[np.uint8]:
    """A picture, uint8 (H, W) or (H, W, C), made smaller by a whole number, to this size or a little more. What is less than a
    pixel of it, at the right and at the bottom, is left out.
    """
    full_height, full_width = picture.shape[:2]
    factor = max(1, min(full_height // height, full_width // width))
    picture = picture[: full_height // factor * factor, : full_width // factor * factor]
    # By two as often as that goes: OpenCV does so several times as fast as by any other number.
    while factor > 1:
        step = 2 if factor % 2 == 0 else factor
        size = (picture.shape[1] // step, picture.shape[0] // step)
        picture = np.asarray(cv2.resize(picture, size, interpolation=cv2.INTER_AREA), np.uint8)
        factor //= step
    return picture


class MotionEstimator:
    """Remembers the small grey picture of the last frame that was looked at, and the last stamp; nothing else."""

    def __init__(self) -> None:
        self._flow = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_ULTRAFAST)
        self._grey: npt.NDArray[np.uint8] | None = None
        self._stamp_ns: int | None = None
        self._seconds = NOMINAL_SECONDS
        self._passed_over = 0.0  # seconds from the remembered picture to the remembered stamp

    def update(
        self, frame: npt.NDArray[np.uint8], stamp_ns: int, targets: npt.NDArray[np.bool_] | None = None
    ) -> Motion:
        """Motion since the last frame that was not passed over.

        Args:
            frame: uint8 (H, W, 3), RGB. Frames that are compared must have been resized alike, if at all: the difference
                between two filters counts as motion.
            stamp_ns: nanoseconds; where it does not rise, the last good interval is taken.
            targets: bool, (targets, h, w), any size, stretched over the frame: where each was in the last frame.
        """
        masks = [] if targets is None else [np.asarray(mask, bool) for mask in targets]
        seconds, stamp_ok = self._step_to(stamp_ns)
        elapsed, self._passed_over = min(self._passed_over + seconds, MAX_SECONDS), 0.0
        small = small_size(*frame.shape[:2])
        grey = reduced(np.asarray(cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY), np.uint8), *small)
        grey = np.asarray(cv2.resize(grey, small[::-1], interpolation=cv2.INTER_AREA), np.uint8)
        before, self._grey = self._grey, grey
        if before is None or before.shape != grey.shape:
            return Motion(seconds, elapsed, STILL, 0.0, (None,) * len(masks), 0.0, stamp_ok)

        # From zeros: without a flow to begin with, what OpenCV gives depends on what the object was used for before.
        start = np.zeros((*grey.shape, 2), np.float32)
        flow = np.asarray(self._flow.calc(before, grey, start), np.float32)  # (h, w, 2), pixels: x(now) - x(before)
        masks = [cv2.resize(mask.view(np.uint8), small[::-1], interpolation=cv2.INTER_NEAREST) > 0 for mask in masks]
        camera = _camera(flow, np.any(masks, axis=0) if masks else None)
        residual = _residual(flow, camera) / np.float32(math.hypot(*grey.shape))  # (h, w), frame diagonals
        # A high percentile: a small thing that moves in a still scene must count, single wild vectors must not.
        anywhere = percentile(residual, 95)
        inside = tuple(percentile(residual[mask], 75) if mask.any() else None for mask in masks)
        scale = np.array([grey.shape[1], grey.shape[0]], np.float64)
        share = camera.copy()
        share[:, :2] = camera[:, :2] * scale[None, :] / scale[:, None]
        share[:, 2] /= scale
        return Motion(seconds, elapsed, share, anywhere, inside, revealed(share) / elapsed, stamp_ok)

    def pass_over(self, stamp_ns: int) -> Motion:
        """A frame that shows what the last one did: that one stays what the next is compared with."""
        seconds, stamp_ok = self._step_to(stamp_ns)
        self._passed_over += seconds
        return Motion(seconds, self._passed_over, STILL, 0.0, (), 0.0, stamp_ok)

    def interval(self, stamp_ns: int) -> tuple[float, bool]:
        """Seconds from the last frame to one of this stamp, and whether the stamp rises; where not, the last good interval."""
        if self._stamp_ns is None or stamp_ns <= self._stamp_ns:
            return self._seconds, self._stamp_ns is None
        return min((stamp_ns - self._stamp_ns) * 1e-9, MAX_SECONDS), True

    def _step_to(self, stamp_ns: int) -> tuple[float, bool]:
        self._seconds, rises = self.interval(stamp_ns)
        self._stamp_ns = stamp_ns
        return self._seconds, rises


def _camera(flow: npt.NDArray[Any], mask: npt.NDArray[np.bool_] | None) -> npt.NDArray[np.float64]:
    """The similarity (2, 3), in pixels of the small picture, that most of the background follows.

    In a picture that may be stretched, a turn of the camera is no similarity: there it is an affine transform.
    """
    height, width = flow.shape[:2]
    stretched = max(height, width) >= LONGEST * min(height, width)
    y, x = _grid(height, width)
    if mask is not None:
        outside = ~mask[y, x]
        # A target that fills the view leaves no background to go by.
        if outside.sum() >= len(x) // 10:
            y, x = y[outside], x[outside]
    start = np.stack([x, y], axis=1).astype(np.float32)
    cv2.setRNGSeed(0)  # RANSAC draws from OpenCV's own generator: the same frames give the same result
    estimate = cv2.estimateAffine2D if stretched else cv2.estimateAffinePartial2D
    found, _ = estimate(start, start + flow[y, x], ransacReprojThreshold=0.5)
    return STILL if found is None or not np.isfinite(found).all() else np.asarray(found, np.float64)


@lru_cache(maxsize=8)
def _grid(height: int, width: int) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.intp]]:
    """Rows and columns of the pixels that vote for the camera's transform, (n,) each."""
    places = np.mgrid[GRID_STEP // 2 : height : GRID_STEP, GRID_STEP // 2 : width : GRID_STEP].reshape(2, -1)
    places.setflags(write=False)
    return places[0], places[1]


def _residual(flow: npt.NDArray[np.float32], camera: npt.NDArray[np.float64]) -> npt.NDArray[np.float32]:
    """What is left of a flow (h, w, 2) without that of a transform: lengths (h, w), pixels."""
    change = (camera - STILL).astype(np.float32)
    y, x = np.arange(flow.shape[0], dtype=np.float32)[:, None], np.arange(flow.shape[1], dtype=np.float32)
    # Plane by plane: with the two components side by side, numpy takes several times as long.
    along, down = (
        np.asarray(plane, np.float32) - (x * change[axis, 0] + (y * change[axis, 1] + change[axis, 2]))
        for axis, plane in enumerate(cv2.split(flow))
    )
    return np.asarray(cv2.magnitude(along, down), np.float32)


def percentile(values: npt.NDArray[np.float32], share: float) -> float:
    """As `np.percentile` of a non-empty array, of any shape, with the linear method; it takes a third of that one's time.

    Args:
        values: finite.
        share: [0, 100].
    """
    place = (values.size - 1) * (share / 100)
    below, above = math.floor(place), math.ceil(place)
    ordered = np.partition(values, (below, above), axis=None)
    low, high = float(ordered[below]), float(ordered[above])
    return low + (high - low) * (place - below)


def revealed(camera: npt.NDArray[np.float64]) -> float:
    """Share of this frame that was outside the last one, [0, 1]: what the last frame's outline, moved, does not cover.

    Outlines that nearly coincide are the rule here, and there `cv2.intersectConvexConvex` loses the overlap every third time.

    Args:
        camera: float64 (2, 3), as `Motion.camera`.
    """
    # Of so few numbers, plain floats make the sum in a fifth of the time that arrays take.
    (xx, xy, x), (yx, yy, y) = camera.tolist()
    outline = [(x, y), (xx + x, yx + y), (xx + xy + x, yx + yy + y), (xy + x, yy + y)]
    for axis in (0, 1):
        outline = _above_zero(outline, [corner[axis] for corner in outline])
        outline = _above_zero(outline, [1 - corner[axis] for corner in outline])
    pairs = zip(outline, outline[1:] + outline[:1], strict=True)
    area = abs(sum(x0 * y1 - x1 * y0 for (x0, y0), (x1, y1) in pairs)) / 2
    return min(1.0, max(0.0, 1.0 - area))


def _above_zero(outline: Sequence[_Point], height: Sequence[float]) -> list[_Point]:
    """The part of a convex polygon, n corners, whose height, n and linear between them, is not below 0."""
    corners = []
    for place, (here, low) in enumerate(zip(outline, height, strict=True)):
        (x, y), (next_x, next_y), high = here, outline[place - len(outline) + 1], height[place - len(outline) + 1]
        if low >= 0:
            corners.append(here)
        if (low >= 0) != (high >= 0):
            share = low / (low - high)
            corners.append((x + (next_x - x) * share, y + (next_y - y) * share))
    return corners
