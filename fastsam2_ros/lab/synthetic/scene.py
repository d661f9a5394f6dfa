"""Staging: who is in a scene, where each stands at first, and who moves how."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from fastsam2_ros.images import RgbImage
from fastsam2_ros.lab.synthetic import motion
from fastsam2_ros.lab.synthetic.actors import Actor, Part, Role, drawn_role, dull_actor, make_actor, shadow_offset
from fastsam2_ros.lab.synthetic.compositing import paste, paste_shadow
from fastsam2_ros.lab.synthetic.looks import SIZE_SHARES, Look, draw_look, draw_lookalike
from fastsam2_ros.lab.synthetic.motion import MANNERS, Manner, Matrices, Track
from fastsam2_ros.lab.synthetic.sprites import dull_thing
from fastsam2_ros.lab.synthetic.textures import background

COVERS = 2.0
"""Size of a dull thing that hides the target whole, as a share of the target's."""
MARGIN = 0.25
"""The background reaches beyond the first frame by this share of its height and width; further out it is mirrored."""

Times = npt.NDArray[np.float64]
"""float64 (T,): seconds from 0."""
Place = npt.NDArray[np.float64]
"""float64 (2,): x, y in pixels."""

_SIZE_CHANCES = {1: (0.25, 0.45, 0.3), 2: (0.4, 0.48, 0.12), 3: (0.4, 0.45, 0.15)}


@dataclass(frozen=True)
class Scene:
    """All that is needed to render.

    Attributes:
        actors: from back to front.
        ground: uint8, the background with its margin and clutter.
        camera: (T, 2, 3), from the first frame's pixels to each frame's.
        target: id.
        events: what the target undergoes on purpose: "crossed", "leaves".
    """

    actors: tuple[Actor, ...]
    ground: RgbImage
    camera: Matrices
    target: int
    events: frozenset[str]

    @property
    def things(self) -> int:
        """Number of those with an id."""
        return max(actor.id for actor in self.actors)


@dataclass(frozen=True)
class Plot:
    """What a target undergoes, where that is not left to chance.

    Attributes:
        events: as `Scene.events`.
        path: from chance, the target's first place, times (T,), size of the frame and the target's reach to its way in pixels
            of the image; None: it wanders.
        cover: from chance, the target's way, times and a distance from which nothing touches it to the way of a dull thing
            that hides it whole; None: nothing is there to hide it.
    """

    events: frozenset[str]
    path: Callable[[np.random.Generator, Place, Times, tuple[int, int], float], Track] | None = None
    cover: Callable[[np.random.Generator, Track, Times, float], Track] | None = None


def stage(rng: np.random.Generator, level: int, times: Times, size: tuple[int, int], plot: Plot | None = None) -> Scene:
    """Make up a scene.

    Args:
        rng: where chance comes from.
        level: 1 to 3.
        times: (T,) seconds from 0.
        size: height, width, pixels.
        plot: what the target undergoes; None: what chance and the level bring.
    """
    view = motion.camera(rng, times, size, MANNERS[level])
    roles = [drawn_role(look) for look in cast(rng, level)]
    return play(rng, level, times, size, view, roles, background, plot)


def play(
    rng: np.random.Generator,
    level: int,
    times: npt.NDArray[np.float64],
    size: tuple[int, int],
    view: Matrices,
    roles: Sequence[Role],
    ground_of: Callable[[np.random.Generator, int, int], RgbImage],
    plot: Plot | None = None,
) -> Scene:
    """A scene with given roles, the target's first; further arguments as for `stage`.

    Args:
        view: (T, 2, 3), the camera.
        ground_of: makes the background of a height and width, pixels.
    """
    manner = MANNERS[level]
    light = rng.uniform(0, 2 * np.pi)
    parts = _arrange(rng, roles, size)
    target = parts[0]
    if plot is None:
        events = _events(rng, level, float(times[-1]))
        target_path = _target_path(rng, target, times, size, manner, events)
    else:
        events = plot.events
        target_path = (
            _target_path(rng, target, times, size, manner, events)
            if plot.path is None
            else plot.path(rng, target.start, times, size, target.reach)
        )
    order = rng.permutation(len(parts)).tolist()
    if rng.random() < 0.6:  # hidden on purpose rather than all the time
        order.remove(0)
        order.append(0)
    actors: dict[int, Actor] = {}
    ids = rng.permutation(len(parts)) + 1
    crossing = int(rng.integers(1, len(parts))) if plot is None and "crossed" in events and rng.random() < 0.5 else 0
    for number, part in enumerate(parts):
        if number == 0:
            path, fixed = target_path, False
        elif number == crossing:
            path, fixed = _crossing(rng, target_path, times, target.reach, part.reach), False
        else:
            still = rng.random() < 0.35
            path, fixed = _drift(rng, part, times, size, manner, still), True
        actors[number] = make_actor(rng, int(ids[number]), part, path, times, light, manner, view if fixed else None)
    if crossing:
        order.remove(crossing)
        order.append(crossing)
    in_order = [actors[number] for number in order]
    if plot is not None and plot.cover is not None:
        reach = COVERS * target.reach
        path = plot.cover(rng, target_path, times, 1.4 * reach + target.reach)
        in_order.append(dull_actor(rng, path, reach, times, light, manner))
    elif "crossed" in events and not crossing:
        in_order.append(_hider(rng, target_path, target.reach, times, size, light, manner))
    shares = np.array([MARGIN, MARGIN])
    height, width = (round(length * (1 + 2 * share)) for length, share in zip(size, shares, strict=True))
    ground = ground_of(rng, height, width)
    if level > 1 or rng.random() < 0.5:
        _litter(rng, ground, light)
    return Scene(tuple(in_order), ground, view, int(ids[0]), events)


def cast(rng: np.random.Generator, level: int) -> list[Look]:
    """Looks of the things of a scene, the target first. From level 2 on at least two have something of the target."""

    def size() -> str:
        return str(rng.choice(list(SIZE_SHARES), p=_SIZE_CHANCES[level]))

    target = draw_look(rng, size())
    if level == 1:
        return [target]
    others = [draw_lookalike(rng, target, 1, size()), draw_lookalike(rng, target, int(rng.integers(1, 3)), size())]
    for _ in range(rng.integers(1, 4)):
        others.append(draw_lookalike(rng, target, int(rng.choice([0, 1, 2], p=[0.5, 0.35, 0.15])), size()))
    return [target, *others]


def _events(rng: np.random.Generator, level: int, duration: float) -> frozenset[str]:
    """Within less than half a second nothing can come and go at a natural speed."""
    if level < 3 or duration < 0.5:
        return frozenset()
    kind = rng.choice(4, p=[0.45, 0.25, 0.2, 0.1])
    return (frozenset({"crossed"}), frozenset({"leaves"}), frozenset({"crossed", "leaves"}), frozenset[str]())[kind]


def _arrange(rng: np.random.Generator, roles: Sequence[Role], size: tuple[int, int]) -> list[Part]:
    """Give each thing a form, a scale, and a place that leaves the others free."""
    height, width = size
    parts: list[Part] = []
    for role in roles:
        form = role.form(rng)
        share = rng.uniform(*role.shares)
        scale = float(np.sqrt(share * height * width / (4 * form.extent[0] * form.extent[1])))
        scale = min(scale, 0.46 * min(height / form.extent[1], width / form.extent[0]))
        part = Part(role.look, form, scale, np.zeros(2))
        best = -np.inf
        for _ in range(40):
            room = np.minimum(np.array(form.extent) * scale * 1.05 + 2, np.array([width, height]) * 0.48)
            place = rng.uniform(room, np.array([width, height]) - room)
            gaps = [float(np.linalg.norm(place - other.start)) - 0.75 * (part.reach + other.reach) for other in parts]
            if (free := min(gaps, default=np.inf)) > best:
                best, part.start = free, place
            if best > 0:
                break
        parts.append(part)
    return parts


def _target_path(
    rng: np.random.Generator,
    part: Part,
    times: npt.NDArray[np.float64],
    size: tuple[int, int],
    manner: Manner,
    events: frozenset[str],
) -> Track:
    """In pixels of the image: whoever films keeps the target in view, unless it is to leave."""
    if "leaves" in events:
        return motion.leave_and_return(rng, part.start, times, size, part.reach)
    speed = rng.uniform(*manner.speed) * float(np.hypot(*size))
    return motion.wander(rng, part.start, times, speed, size, manner.uneven)


def _drift(
    rng: np.random.Generator,
    part: Part,
    times: npt.NDArray[np.float64],
    size: tuple[int, int],
    manner: Manner,
    still: bool,
) -> Track:
    if still:
        return np.broadcast_to(part.start, (len(times), 2))
    speed = rng.uniform(*manner.speed) * float(np.hypot(*size))
    return motion.wander(rng, part.start, times, speed, size, manner.uneven)


def _crossing(
    rng: np.random.Generator, target: Track, times: npt.NDArray[np.float64], target_reach: float, reach: float
) -> Track:
    return motion.cross(rng, target, times, 1.05 * (target_reach + reach), 0.35 * target_reach)


def _hider(
    rng: np.random.Generator,
    target: Track,
    target_reach: float,
    times: npt.NDArray[np.float64],
    size: tuple[int, int],
    light: float,
    manner: Manner,
) -> Actor:
    """A dull thing that passes before the target."""
    scale = float(np.clip(target_reach * rng.uniform(0.7, 1.5), 25, 0.4 * min(size)))
    path = _crossing(rng, target, times, target_reach, 1.4 * scale)
    return dull_actor(rng, path, scale, times, light, manner)


def _litter(rng: np.random.Generator, ground: RgbImage, light: float) -> None:
    """Paste dull small things on the ground."""
    height, width = ground.shape[:2]
    unit = float(np.hypot(height, width))
    for _ in range(rng.integers(2, 7)):
        scale = unit * float(np.exp(rng.uniform(np.log(0.008), np.log(0.05))))
        sprite, _ = dull_thing(rng, scale, light)
        offset = shadow_offset(rng, light)
        for _ in range(rng.integers(1, 5)):
            angle = rng.uniform(0, 2 * np.pi)
            c, s = np.cos(angle) * scale, np.sin(angle) * scale
            place = np.array([[c, -s, rng.uniform(0, width)], [s, c, rng.uniform(0, height)]])
            paste_shadow(ground, sprite, place, offset)
            paste(ground, sprite, place, None)
