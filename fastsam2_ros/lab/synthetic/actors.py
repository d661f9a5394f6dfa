"""The things of a scene, and what each looks like on its way."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt

from fastsam2_ros.lab.synthetic import motion
from fastsam2_ros.lab.synthetic.looks import SIZE_SHARES, Look
from fastsam2_ros.lab.synthetic.motion import Manner, Matrices, Track
from fastsam2_ros.lab.synthetic.shapes import Outline
from fastsam2_ros.lab.synthetic.sprites import Sprite, draw_outline, dull_thing, thing

_MAX_SCALE = 260.0


@dataclass(frozen=True)
class Actor:
    """A thing and its way.

    Attributes:
        id: from 1; 0 for dull things that only hide others.
        look: what is said of it; None for dull things.
        sprite: its picture.
        places: (T, 2, 3), from outline units to image pixels.
        shadow: x, y offset of its cast shadow, outline units.
        bends: (T,), see `compositing.paste`.
    """

    id: int
    look: Look | None
    sprite: Sprite
    places: Matrices
    shadow: npt.NDArray[np.float64]
    bends: npt.NDArray[np.float64]


class Form(Protocol):
    """What a thing's picture is made from."""

    @property
    def extent(self) -> tuple[float, float]:
        """See `Outline.extent`."""

    def sprite(self, rng: np.random.Generator, scale: float, light: float) -> Sprite:
        """The picture, see `sprites.thing`."""


@dataclass(frozen=True)
class Role:
    """A thing that is to appear.

    Attributes:
        look: what is said of it; None: nothing.
        shares: of the frame that its box covers, least and most.
        form: makes one.
    """

    look: Look | None
    shares: tuple[float, float]
    form: Callable[[np.random.Generator], Form]


@dataclass(frozen=True)
class Drawn:
    """A thing of the generated world."""

    look: Look
    outline: Outline

    @property
    def extent(self) -> tuple[float, float]:
        """See `Form`."""
        return self.outline.extent

    def sprite(self, rng: np.random.Generator, scale: float, light: float) -> Sprite:
        """See `Form`."""
        return thing(rng, self.look, self.outline, scale, light)


@dataclass
class Part:
    """A thing before it is drawn."""

    look: Look | None
    form: Form
    scale: float
    start: npt.NDArray[np.float64]

    @property
    def reach(self) -> float:
        """Half of its diagonal, pixels."""
        return self.scale * float(np.hypot(*self.form.extent))


def drawn_role(look: Look) -> Role:
    """A thing of the generated world that looks so."""
    return Role(look, SIZE_SHARES[look.size], lambda rng: Drawn(look, draw_outline(rng, look)))


def make_actor(
    rng: np.random.Generator,
    number: int,
    part: Part,
    path: Track,
    times: npt.NDArray[np.float64],
    light: float,
    manner: Manner,
    view: Matrices | None,
) -> Actor:
    """A thing, drawn, on its way. view: the camera, where that way is one on the ground; None: in the image."""
    angle = float(rng.normal(0, 0.25) if rng.random() < 0.7 else rng.uniform(-np.pi, np.pi))
    places = motion.poses(rng, path, times, part.scale, angle, manner)
    if view is not None:
        places = motion.compose(view, places)
    sprite = part.form.sprite(rng, _sprite_scale(places), light - angle)
    return Actor(number, part.look, sprite, places, shadow_offset(rng, light), motion.bends(rng, times, manner))


def dull_actor(
    rng: np.random.Generator,
    path: Track,
    scale: float,
    times: npt.NDArray[np.float64],
    light: float,
    manner: Manner,
) -> Actor:
    """A thing that is not spoken of and hides others. scale: pixels per outline unit."""
    places = motion.poses(rng, path, times, scale, 0.0, manner)
    sprite, _ = dull_thing(rng, _sprite_scale(places), light)
    return Actor(0, None, sprite, places, shadow_offset(rng, light), np.zeros(len(times)))


def _sprite_scale(places: Matrices) -> float:
    largest = float(np.sqrt(np.abs(np.linalg.det(places[:, :, :2])).max()))
    return min(max(largest, 4.0), _MAX_SCALE)


def shadow_offset(rng: np.random.Generator, light: float) -> npt.NDArray[np.float64]:
    """x, y, outline units: away from the light, as far as the thing is thick."""
    return -rng.uniform(0.04, 0.25) * np.array([np.cos(light), np.sin(light)])
