"""Clips in which objects cut out of photographs move over other photographs, hide one another, leave and come back."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from fastsam2_ros.images import RgbImage
from fastsam2_ros.lab.synthetic import film, motion
from fastsam2_ros.lab.synthetic.actors import Role, drawn_role
from fastsam2_ros.lab.synthetic.camera import draw_optics
from fastsam2_ros.lab.synthetic.motion import MANNERS
from fastsam2_ros.lab.synthetic.scene import cast, play
from fastsam2_ros.lab.synthetic.sprites import Sprite, shadow
from fastsam2_ros.lab.synthetic.textures import tone
from fastsam2_ros.lab.synthetic.world import RATE
from fastsam2_ros.lab.training.stills import Ids, Still

SHARES = (0.02, 0.3)
"""Of the frame that an object's box covers."""
SMALLEST_SIDE = 40
"""Of an object's box in its photograph, pixels: what is smaller would be a blur."""
TWINS, GENERATED = 0.5, 0.25
"""Chance that an object is another picture of the target or of its class; and that it is of the generated world."""
LEVELS = (1, 2, 3, 3)
"""`motion.MANNERS`, as often as they are drawn."""
ATTEMPTS = 20


@dataclass(frozen=True)
class CutOut:
    """An object without what is around it.

    Attributes:
        rgb: uint8 (h, w, 3).
        mask: uint8 (h, w), 0 or 255.
    """

    rgb: RgbImage
    mask: npt.NDArray[np.uint8]

    @property
    def extent(self) -> tuple[float, float]:
        """See `scene.Form`; the longer half is 1."""
        height, width = self.mask.shape
        return width / max(self.mask.shape), height / max(self.mask.shape)

    def sprite(self, rng: np.random.Generator, scale: float, light: float) -> Sprite:
        """See `scene.Form`; the light is the photograph's."""
        factor = 2 * scale / max(self.mask.shape)
        size = max(2, round(self.mask.shape[1] * factor)), max(2, round(self.mask.shape[0] * factor))
        resampling = cv2.INTER_AREA if factor < 1 else cv2.INTER_LINEAR
        alpha = np.asarray(cv2.resize(self.mask, size, interpolation=resampling), np.uint8)
        # The last pixel of a mask is half of the background.
        alpha = np.asarray(cv2.GaussianBlur(cv2.erode(alpha, np.ones((3, 3), np.uint8)), (0, 0), 0.7), np.uint8)
        alpha = np.asarray(cv2.copyMakeBorder(alpha, 2, 2, 2, 2, cv2.BORDER_CONSTANT, value=0), np.uint8)
        rgb = cv2.copyMakeBorder(cv2.resize(self.rgb, size, interpolation=resampling), 2, 2, 2, 2, cv2.BORDER_REPLICATE)
        lit = cv2.multiply(tone(rng, np.asarray(rgb, np.uint8), 0.25), cv2.merge([alpha] * 3), scale=1 / 255)
        rgba = np.dstack([lit, alpha]).astype(np.uint8)
        return Sprite(rgba, *shadow(rng, alpha, scale), scale, self.extent)

    def mirrored(self) -> CutOut:
        """The other way round."""
        return CutOut(self.rgb[:, ::-1].copy(), self.mask[:, ::-1].copy())


def whole_objects(image: RgbImage, ids: Ids) -> dict[int, CutOut]:
    """By number, the objects of a photograph that it shows whole."""
    found = {}
    for number in np.unique(ids[ids > 0]).tolist():
        mask = (ids == number).astype(np.uint8)
        x, y, width, height = cv2.boundingRect(mask)
        whole = x > 1 and y > 1 and x + width < ids.shape[1] - 1 and y + height < ids.shape[0] - 1
        if whole and min(width, height) >= SMALLEST_SIDE:
            window = slice(y, y + height), slice(x, x + width)
            found[number] = CutOut(image[window].copy(), mask[window] * np.uint8(255))
    return found


def shoot(
    rng: np.random.Generator, stills: Sequence[Still], frames: int, size: tuple[int, int], stride: int, trial: bool
) -> tuple[RgbImage, Ids, int]:
    """A clip: uint8 (T, H, W, 3), numbers of objects uint8 (T, H, W), and the target's; none may be seen at first.

    Args:
        rng: where chance comes from.
        stills: photographs.
        frames: T.
        size: height, width, pixels.
        stride: frames of a video of 30 Hz per frame of the clip.
        trial: the target is to be hidden, or to leave and come back.
    """
    level = LEVELS[-1] if trial else LEVELS[rng.integers(len(LEVELS))]
    times = np.arange(max(frames, 2)) * stride / RATE
    view = motion.camera(rng, times, size, MANNERS[level])
    scene = play(rng, level, times, size, view, _roles(rng, stills, level), lambda _, h, w: _ground(rng, stills, h, w))
    optics = draw_optics(rng, level, times, size)
    shot = film.shoot(rng, scene, optics, frames, size, stride)
    return shot.images, shot.ids, scene.target


def _roles(rng: np.random.Generator, stills: Sequence[Still], level: int) -> list[Role]:
    target, name = _any_object(rng, stills)
    roles = [_role(target)]
    for _ in range(rng.integers(1, 2 + level)):
        chance = rng.random()
        if chance < TWINS:
            same = [still for still in stills if name and name in still.names.values()]
            twin = _any_object(rng, same, name)[0] if same and rng.random() < 0.6 else target
            roles.append(_role(twin.mirrored() if rng.random() < 0.5 else twin))
        elif chance < TWINS + GENERATED:
            roles.append(drawn_role(cast(rng, 1)[0]))
        else:
            roles.append(_role(_any_object(rng, stills)[0]))
    return roles


def _role(cut_out: CutOut) -> Role:
    return Role(None, SHARES, lambda _: cut_out)


def _any_object(rng: np.random.Generator, stills: Sequence[Still], name: str = "") -> tuple[CutOut, str]:
    """An object that its photograph shows whole, and what it is called; of the given name where one is found."""
    for _ in range(ATTEMPTS):
        still = stills[int(rng.integers(len(stills)))]
        every = whole_objects(*still.read())
        named = {number: each for number, each in every.items() if not name or still.names.get(number) == name}
        if named:
            number = list(named)[rng.integers(len(named))]
            return named[number], still.names.get(number, "")
    # Nothing whole: the middle of a photograph will do.
    image, _ = stills[int(rng.integers(len(stills)))].read()
    height, width = image.shape[:2]
    middle = image[height // 4 : height * 3 // 4, width // 4 : width * 3 // 4].copy()
    return CutOut(middle, np.full(middle.shape[:2], 255, np.uint8)), ""


def _ground(rng: np.random.Generator, stills: Sequence[Still], height: int, width: int) -> RgbImage:
    """A part of a photograph: uint8 (height, width, 3)."""
    image, _ = stills[int(rng.integers(len(stills)))].read()
    share = rng.uniform(0.6, 1.0)
    rows, columns = (max(8, round(length * share)) for length in image.shape[:2])
    top, left = rng.integers(image.shape[0] - rows + 1), rng.integers(image.shape[1] - columns + 1)
    part = image[top : top + rows, left : left + columns]
    part = part[:, ::-1] if rng.random() < 0.5 else part
    return tone(rng, np.asarray(cv2.resize(part, (width, height), interpolation=cv2.INTER_LINEAR), np.uint8), 0.3)
