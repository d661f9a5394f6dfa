"""How things and the camera move: smooth paths, events, and the matrices that follow from them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Track = npt.NDArray[np.float64]
"""float64 (T, 2): x, y in pixels."""
Matrices = npt.NDArray[np.float64]
"""float64 (T, 2, 3): affine, one per frame."""

SECONDS_PER_WAYPOINT = 0.7


@dataclass(frozen=True)
class Manner:
    """What a level of difficulty allows.

    Attributes:
        speed: of things, frame diagonals per second, slowest and fastest.
        turn: of things, radians per second at most.
        growth: natural logarithm by which a thing's scale may change over the clip.
        bend: strength of squash, shear, bending and seeming turn out of the plane, 0 to 1.
        uneven: how much a thing hurries and halts, 0 to 1.
        pan, roll, zoom, shake: of the camera: diagonals per second, radians, natural logarithm, diagonals.
    """

    speed: tuple[float, float]
    turn: float
    growth: float
    bend: float
    uneven: float
    pan: float
    roll: float
    zoom: float
    shake: float


MANNERS = {
    1: Manner((0.02, 0.12), 0.15, 0.05, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0),
    2: Manner((0.03, 0.22), 0.4, 0.12, 0.15, 0.3, 0.03, 0.03, 0.04, 0.0005),
    3: Manner((0.08, 0.45), 1.2, 0.4, 0.6, 0.9, 0.15, 0.15, 0.18, 0.003),
}


def wander(
    rng: np.random.Generator,
    start: npt.NDArray[np.float64],
    times: npt.NDArray[np.float64],
    speed: float,
    size: tuple[int, int],
    uneven: float,
) -> Track:
    """A smooth way among random places of the frame.

    Args:
        rng: where chance comes from.
        start: x, y at the first time, pixels.
        times: (T,) seconds from 0.
        speed: mean, pixels per second.
        size: height, width of the frame; the waypoints lie in its inner three quarters.
        uneven: see `Manner`.
    """
    count = int(times[-1] / SECONDS_PER_WAYPOINT) + 3
    high = np.array([size[1], size[0]], float)
    places = [np.asarray(start, float)]
    for _ in range(count):
        for _ in range(12):
            angle = rng.uniform(0, 2 * np.pi)
            length = speed * SECONDS_PER_WAYPOINT * rng.uniform(1 - 0.7 * uneven, 1 + 0.7 * uneven)
            place = places[-1] + length * np.array([np.cos(angle), np.sin(angle)])
            if ((place > 0.12 * high) & (place < 0.88 * high)).all():
                break
        places.append(np.clip(place, 0.1 * high, 0.9 * high))
    return along(np.array(places), np.arange(count + 1, dtype=np.float64) * SECONDS_PER_WAYPOINT, times)


def along(places: npt.NDArray[np.float64], knots: npt.NDArray[np.float64], times: npt.NDArray[np.float64]) -> Track:
    """A smooth way through given places at given times (cubic Hermite, finite-difference tangents)."""
    slopes = np.gradient(places, knots, axis=0)
    slopes[0] = (places[1] - places[0]) / (knots[1] - knots[0])
    index = np.clip(np.searchsorted(knots, times, side="right") - 1, 0, len(knots) - 2)
    width = (knots[index + 1] - knots[index])[:, None]
    s = ((times - knots[index])[:, None] / width).clip(0, 1)
    a, b = 2 * s**3 - 3 * s**2 + 1, s**3 - 2 * s**2 + s
    c, d = -2 * s**3 + 3 * s**2, s**3 - s**2
    return a * places[index] + b * width * slopes[index] + c * places[index + 1] + d * width * slopes[index + 1]


def leave_and_return(
    rng: np.random.Generator,
    start: npt.NDArray[np.float64],
    times: npt.NDArray[np.float64],
    size: tuple[int, int],
    reach: float,
) -> Track:
    """A way out of the frame over an edge, and back in over the same edge.

    Args:
        rng: where chance comes from.
        start: x, y at the first time, pixels.
        times: (T,) seconds from 0.
        size: height, width of the frame, pixels.
        reach: greatest distance from the thing's middle to its rim, pixels.
    """
    height, width = size
    edge = rng.integers(4)
    out = reach * 1.15 + 4

    def outside(along_edge: float) -> list[float]:
        x, y = along_edge * width, along_edge * height
        return [[-out, y], [width + out, y], [x, -out], [x, height + out]][edge]

    inside = [rng.uniform(0.3, 0.7) * width, rng.uniform(0.3, 0.7) * height]
    first, second = rng.uniform(0.2, 0.8, 2)
    places = np.array([start, outside(first), outside(second), inside, [inside[0] + rng.normal(0, 20), inside[1]]])
    begin = rng.uniform(0.3, 0.42)
    end = begin + rng.uniform(0.12, 0.22)
    return along(places, np.array([0, begin, end, end + rng.uniform(0.2, 0.28), 1.2]) * times[-1], times)


def cross(
    rng: np.random.Generator,
    target: Track,
    times: npt.NDArray[np.float64],
    distance: float,
    sideways: float,
) -> Track:
    """A straight way that meets the target's in the middle of the clip.

    Args:
        rng: where chance comes from.
        target: the way that is crossed.
        times: (T,) seconds from 0.
        distance: between the two at the first time, pixels, at least.
        sideways: greatest distance at the meeting, pixels.
    """
    middle = int(len(times) * rng.uniform(0.35, 0.7))
    moment = max(float(times[middle]), 1e-3)
    angle = rng.choice([0.0, np.pi, np.pi / 2, rng.uniform(0, 2 * np.pi)]) + rng.normal(0, 0.15)
    direction = np.array([np.cos(angle), np.sin(angle)])
    beside = np.array([-direction[1], direction[0]]) * rng.uniform(-sideways, sideways)
    speed = (distance + float(np.linalg.norm(target[middle] - target[0])) + sideways) / moment
    return target[middle] + beside + (times - moment)[:, None] * direction * speed * rng.uniform(1, 1.15)


def camera(rng: np.random.Generator, times: npt.NDArray[np.float64], size: tuple[int, int], manner: Manner) -> Matrices:
    """From the first frame's pixels to each frame's; the first is the identity."""
    height, width = size
    diagonal = float(np.hypot(height, width))
    angle = rng.uniform(0, 2 * np.pi)
    pan = rng.uniform(0, manner.pan) * diagonal * np.array([np.cos(angle), np.sin(angle)])
    swing = rng.uniform(0, 0.3 * manner.pan) * diagonal
    rate = rng.uniform(1, 3, 4)
    shift = times[:, None] * pan + swing * np.sin(times[:, None] * rate[:2])
    shift = shift + _tremble(rng, len(times), 2) * manner.shake * diagonal * rng.uniform(0.2, 1)
    roll = (
        rng.uniform(-1, 1) * manner.roll * np.sin(times * rate[2]) + _tremble(rng, len(times), 1)[:, 0] * manner.shake
    )
    zoom = np.exp(rng.uniform(-1, 1) * manner.zoom * np.sin(times * rate[3] * 0.7))
    linear = zoom[:, None, None] * _rotation(roll)
    middle = np.array([width / 2, height / 2])
    offset = middle + shift - linear @ middle
    return np.concatenate([linear, offset[..., None]], 2)


def poses(
    rng: np.random.Generator,
    path: Track,
    times: npt.NDArray[np.float64],
    scale: float,
    start_angle: float,
    manner: Manner,
) -> Matrices:
    """From outline units to pixels: the way, with turning, growth and a little deformation. At first undeformed."""
    rate = rng.uniform(1.0, 3.5, 5)
    turn = start_angle + rng.uniform(-1, 1) * manner.turn * (times + 0.4 * manner.uneven * np.sin(times * rate[0]))
    grow = scale * np.exp(rng.uniform(-1, 1) * manner.growth * np.sin(times * rate[1] * 0.6))
    squash = np.exp(0.16 * manner.bend * rng.uniform(-1, 1) * np.sin(times * rate[2]))
    shear = 0.2 * manner.bend * rng.uniform(-1, 1) * np.sin(times * rate[3])
    yaw = 1 - 0.5 * manner.bend * rng.uniform(0, 1) * np.sin(times * rate[4] * 0.7) ** 2
    local = np.zeros((len(times), 2, 2))
    local[:, 0, 0], local[:, 0, 1], local[:, 1, 1] = grow * squash * yaw, grow * shear, grow / squash
    return np.concatenate([_rotation(turn) @ local, path[..., None]], 2)


def bends(rng: np.random.Generator, times: npt.NDArray[np.float64], manner: Manner) -> npt.NDArray[np.float64]:
    """How much a thing is bent, (T,), for `compositing.paste`; 0 at first."""
    return 0.3 * manner.bend * rng.uniform(-1, 1) * np.sin(times * rng.uniform(1.0, 3.5))


def compose(second: Matrices, first: Matrices) -> Matrices:
    """The affine maps that do `first`, then `second`."""
    linear = second[..., :2] @ first[..., :2]
    offset = second[..., :2] @ first[..., 2:] + second[..., 2:]
    return np.concatenate([linear, offset], -1)


def inverse(matrices: Matrices) -> Matrices:
    """The affine maps that undo."""
    linear = np.linalg.inv(matrices[..., :2])
    return np.concatenate([linear, -linear @ matrices[..., 2:]], -1)


def _tremble(rng: np.random.Generator, frames: int, channels: int) -> npt.NDArray[np.float64]:
    """Small steps of a hand, (T, channels), 0 at first."""
    steps = rng.standard_normal((frames + 2, channels))
    smooth = (steps[:-2] + steps[1:-1] + steps[2:]) / np.sqrt(3)
    return smooth - smooth[:1]


def _rotation(angle: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    c, s = np.cos(angle), np.sin(angle)
    return np.stack([np.stack([c, -s], -1), np.stack([s, c], -1)], -2)
