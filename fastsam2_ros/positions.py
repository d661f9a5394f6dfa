"""Where a target is: a mask and a depth image of the same view give a position in the camera's frame."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from fastsam2_ros.depth import Camera, DepthImage

_RIM = 2.0
"""Depth is not taken from closer to the mask's edge, pixels: there, sensors mix thing and background."""
_SAFE = 0.1
"""Further from the edge than this share of the root of its area, a mask seldom covers something else."""
_FEWEST = 5
"""Fewer measured pixels give no position."""
_SPREADS = 4.0
"""What lies further from the median depth than so many standard deviations, and than half the target's width, is not of it."""
_PIXELS = 4_000
"""About so many pixels of a large mask are looked at."""
_PERCENTILES = (1.0, 99.0)
"""What lies between is the extent."""
_SIGMA_OF_MAD = 1.4826


@dataclass(frozen=True)
class Position:
    """Where a target is, in the camera's frame: x to the right, y down, z forward, m.

    Attributes:
        point: x, y, z: the mean of the surface that is seen.
        extent: size along x, y, z of what is seen: 98 % of it.
        covariance: float64 (3, 3) of the surface's points about `point`, m^2.
        near, far: depths between which the surface lies.
    """

    point: tuple[float, float, float]
    extent: tuple[float, float, float]
    covariance: npt.NDArray[np.float64]
    near: float
    far: float


def locate(mask: npt.NDArray[np.bool_], depth: DepthImage, camera: Camera) -> Position | None:
    """Where the target of a mask is; None where its depth was not measured.

    At the rim of the mask, and where nothing was measured, depth is that of the plane that fits the rest best. What is far
    before or behind the median depth is taken for a piece of something else under the mask.

    Args:
        mask: bool (H, W) of the depth image's view; of another resolution, perhaps.
        depth: aligned to the mask's image.
        camera: of the same view.
    """
    mask, camera = _fitted(mask, depth, camera)
    window = _window(mask)
    if window is None:
        return None
    rows, columns = window
    step = max(1, int(np.sqrt(np.count_nonzero(mask[rows, columns]) / _PIXELS)))
    rows, columns = slice(rows.start, rows.stop, step), slice(columns.start, columns.stop, step)
    inside = np.ascontiguousarray(mask[rows, columns])
    metres = depth.metres(rows, columns)
    measured = inside & np.isfinite(metres)
    distance = _from_edge(inside)
    root = float(np.sqrt(np.count_nonzero(inside)))
    safe = _depths(metres, measured, distance > min(max(_RIM / step, _SAFE * root), distance.max() / 2))
    if len(safe) < _FEWEST:
        return None
    z = float(np.median(safe))
    spread = _SIGMA_OF_MAD * float(np.median(np.abs(safe - z)))
    reach = max(_SPREADS * spread, step * root * z / camera.fx / 2)
    near, far = z - reach, z + reach
    far_off = measured & ((metres < near) | (metres > far))
    trusted = measured & ~far_off & (distance > min(_RIM / step, distance.max() / 2))
    seen = inside & ~far_off
    if np.count_nonzero(trusted) < _FEWEST:
        trusted = measured & ~far_off
    metres = np.where(trusted, metres, _plane(metres, trusted).clip(near, far))
    surface = _points(seen, metres, rows, columns, camera)
    middle = surface.mean(axis=0)
    offsets = surface - middle
    low, high = np.percentile(surface, _PERCENTILES, axis=0)
    extent = high - low + np.array([step * z / camera.fx, step * z / camera.fy, 0.0])
    extent[2] = np.ptp(np.percentile(metres[trusted], _PERCENTILES))
    return Position(_triple(middle), _triple(extent), offsets.T @ offsets / len(offsets), near, far)


def surface_points(
    mask: npt.NDArray[np.bool_], depth: DepthImage, camera: Camera, position: Position, most: int
) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.intp]]:
    """The measured points of a target, and where in the mask they are.

    Args:
        mask, depth, camera: as for `locate`.
        position: what that gave.
        most: about so many at most, spread evenly over the mask.

    Returns:
        float32 (n, 3), m, in the camera's frame; and (n, 2), row and column in the depth image.
    """
    mask, camera = _fitted(mask, depth, camera)
    window = _window(mask)
    if window is None:
        return np.zeros((0, 3), np.float32), np.zeros((0, 2), np.intp)
    rows, columns = window
    step = int(np.ceil(np.sqrt(max(1.0, np.count_nonzero(mask[rows, columns]) / most))))
    rows, columns = slice(rows.start, rows.stop, step), slice(columns.start, columns.stop, step)
    metres = depth.metres(rows, columns)
    # Comparisons with NaN are false.
    chosen = mask[rows, columns] & (metres >= position.near) & (metres <= position.far)
    places = np.argwhere(chosen) * step + (rows.start, columns.start)
    return _points(chosen, metres, rows, columns, camera).astype(np.float32), places


def _fitted(mask: npt.NDArray[np.bool_], depth: DepthImage, camera: Camera) -> tuple[npt.NDArray[np.bool_], Camera]:
    """Mask and camera in the depth image's resolution."""
    height, width = depth.size
    if mask.shape != depth.size:
        small = cv2.resize(np.ascontiguousarray(mask).view(np.uint8), (width, height), interpolation=cv2.INTER_NEAREST)
        mask = np.asarray(small, np.uint8).view(np.bool_)
    return mask, camera.scaled(width, height)


def _window(mask: npt.NDArray[np.bool_]) -> tuple[slice, slice] | None:
    """The rows and columns that a mask lies in; None where it is empty."""
    x, y, width, height = cv2.boundingRect(np.ascontiguousarray(mask).view(np.uint8))
    return (slice(y, y + height), slice(x, x + width)) if width else None


def _from_edge(inside: npt.NDArray[np.bool_]) -> npt.NDArray[np.float32]:
    """Distance of each pixel of a mask, bool (h, w), from the nearest beyond it, pixels: 1 at the edge."""
    padded = cv2.copyMakeBorder(inside.view(np.uint8), 1, 1, 1, 1, cv2.BORDER_CONSTANT, value=0)
    return np.asarray(cv2.distanceTransform(padded, cv2.DIST_L2, 3), np.float32)[1:-1, 1:-1]


def _depths(
    metres: npt.NDArray[np.float32], measured: npt.NDArray[np.bool_], preferred: npt.NDArray[np.bool_]
) -> npt.NDArray[np.float32]:
    """The measured depths at the preferred pixels; at all, where those are too few."""
    chosen = metres[measured & preferred]
    return chosen if len(chosen) >= _FEWEST else metres[measured]


def _plane(metres: npt.NDArray[np.float32], trusted: npt.NDArray[np.bool_]) -> npt.NDArray[np.float32]:
    """Depth at every pixel of the plane that fits the trusted ones best: its inverse is linear in the pixels."""
    height, width = metres.shape
    across, down = np.arange(width, dtype=np.float32), np.arange(height, dtype=np.float32)
    v, u = np.nonzero(trusted)
    inverse = 1 / metres[trusted]
    x, y, level = u.mean(), v.mean(), inverse.mean()
    # About the middle: pixels on one line then give no slope across it.
    slopes, *_ = np.linalg.lstsq(np.stack([u - x, v - y], 1), inverse - level, rcond=1e-6)
    there = level + slopes[0] * (across - x) + slopes[1] * (down - y)[:, None]
    return np.asarray(1 / np.maximum(there, np.float32(1e-6)), np.float32)


def _points(
    chosen: npt.NDArray[np.bool_], metres: npt.NDArray[np.float32], rows: slice, columns: slice, camera: Camera
) -> npt.NDArray[np.float64]:
    """(n, 3) of the chosen pixels of a window."""
    v, u = np.nonzero(chosen)
    z = metres[chosen].astype(np.float64)
    x = (u * (columns.step or 1) + columns.start - camera.cx) * z / camera.fx
    y = (v * (rows.step or 1) + rows.start - camera.cy) * z / camera.fy
    return np.stack([x, y, z], 1)


def _triple(values: npt.NDArray[np.float64]) -> tuple[float, float, float]:
    x, y, z = values.tolist()
    return x, y, z
