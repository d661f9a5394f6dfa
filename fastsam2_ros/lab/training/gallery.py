"""What the frozen image tower makes of things with names or looks, kept: then a step of CLIP's training costs little.

Things are crops, whole and within the thing's mask alone, and cells of the map before pooling that one thing covers: of the
generated world, of photographs with masks, and of named pictures. Objects of photographs are seen in other colours too.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from fastsam2_ros.images import RgbImage
from fastsam2_ros.lab.synthetic.looks import SHAPES, Look
from fastsam2_ros.lab.synthetic.world import HELD_OUT_SEED, generate
from fastsam2_ros.lab.training.colours import colour_of, recoloured
from fastsam2_ros.lab.training.crops import square_crop
from fastsam2_ros.lab.training.nouns import clean
from fastsam2_ros.lab.training.phrases import attributes
from fastsam2_ros.lab.training.stills import Ids, open_stills
from fastsam2_ros.language.vocabulary import COLOURS
from fastsam2_ros.streaming.backends.choice import weights_digest
from fastsam2_ros.streaming.picture import IMAGE_MEAN, IMAGE_STD

Mask = npt.NDArray[np.uint8]
"""(side, side), 0 to 255."""
UNKNOWN = -1
WORLD, REAL, GROUND, UNNAMED = 0, 1, 2, 3
"""Where a thing is from: the generated world; a photograph, where it has a name; nothing but the generated world's or a
photograph's background; a photograph, where nobody says what it is.
"""
SEEN, COVERED = 0.5, 0.5
"""Visible part of a thing from which on it counts, and share of a cell that it must cover."""
CELLS = 12
"""Of a frame and a thing in it, at most."""
JITTERS = 2
"""Crops of each real thing, by boxes that are a little off."""
FRAMES = 3
"""Of the generated world, one scene in so many gives cells too."""
SIDE = 512
"""Of dense frames, which are stretched to a square as SAM 2's are, pixels."""
SMALLEST = 20
"""Side of a real thing's box, pixels."""


@dataclass
class Gallery:
    """n things.

    Attributes:
        features: fp16 (n, C), before they are standardised and projected.
        names: bool (n, words), what each is called.
        shapes, colours, patterns: int64 (n,), of the generated world's shapes, everyday colours, and patterns; `UNKNOWN`.
        origins: int64 (n,).
        cells: bool (n,), of the map before pooling rather than crops.
        words: what the columns of `names` stand for.
        synonyms: those of them that came by `also_called`: nothing is known of where such a thing is not.
        trunk: which trunk saw them (`weights_digest`).
    """

    features: Tensor
    names: Tensor
    shapes: Tensor
    colours: Tensor
    patterns: Tensor
    origins: Tensor
    cells: Tensor
    words: list[str]
    synonyms: list[str] = field(default_factory=list)
    trunk: str = ""

    @property
    def own_words(self) -> Tensor:
        """bool (words,), which of them the pictures' data sets use."""
        return torch.tensor([word not in self.synonyms for word in self.words], dtype=torch.bool)

    def save(self, path: Path) -> None:
        """Write it."""
        torch.save({item.name: getattr(self, item.name) for item in fields(self)}, path)

    @staticmethod
    def load(path: Path) -> Gallery:
        """What `save` wrote."""
        return Gallery(**torch.load(path, weights_only=True))

    def also_called(self, synonyms: Mapping[str, Sequence[str]]) -> Gallery:
        """The same things; those with a name that has synonyms are called by these too, and by theirs."""
        called = {word: _closure(word, synonyms) for word in self.words}
        words = sorted(set[str]().union(*called.values()))
        names = torch.zeros(len(self.names), len(words), dtype=torch.bool)
        for word, own in zip(self.words, self.names.T, strict=True):
            for each in called[word]:
                names[:, words.index(each)] |= own
        return replace(self, names=names, words=words, synonyms=[word for word in words if word not in self.words])


def _closure(word: str, synonyms: Mapping[str, Sequence[str]]) -> set[str]:
    """A word, its synonyms, theirs, and so on."""
    found, waiting = {word}, [word]
    while waiting:
        new = set(synonyms.get(waiting.pop(), ())) - found
        found |= new
        waiting += new
    return found


@dataclass
class _Thing:
    names: frozenset[str] = frozenset()
    shape: int = UNKNOWN
    colour: int = UNKNOWN
    pattern: int = UNKNOWN
    origin: int = REAL


def collect(trunk: Any, side: int, real: Path | None, scenes: int, seed: int, first: int | None = None) -> Gallery:
    """Show everything to a trunk.

    Args:
        trunk: of open_clip's `TimmModel`.
        side: of crops, pixels.
        real: folder of real pictures (`stills`, `named`); None: the generated world alone.
        scenes: of the generated world.
        seed: of all chance.
        first: seed of the first scene, the others following; None: any that is trained on.
    """
    rng = np.random.default_rng((seed, 5))
    eye = _Eye(trunk)
    for index in range(scenes):
        _see_world(rng, eye, side, index, int(rng.integers(HELD_OUT_SEED)) if first is None else first + index)
    if real is not None:
        _see_stills(rng, eye, side, real)
        _see_named(rng, eye, side, real)
    eye.flush()
    words = sorted({name for thing in eye.things for name in thing.names})
    column = {word: place for place, word in enumerate(words)}
    names = torch.zeros(len(eye.things), len(words), dtype=torch.bool)
    for row, thing in enumerate(eye.things):
        for name in thing.names:
            names[row, column[name]] = True

    def of(attribute: str) -> Tensor:
        return torch.tensor([getattr(thing, attribute) for thing in eye.things])

    return Gallery(
        torch.cat(eye.features),
        names,
        of("shape"),
        of("colour"),
        of("pattern"),
        of("origin"),
        torch.tensor(eye.cells),
        words,
        trunk=weights_digest(trunk),
    )


class _Eye:
    """Collects features."""

    def __init__(self, trunk: Any) -> None:
        self._trunk = trunk
        self._waiting: list[tuple[RgbImage, Mask | None]] = []
        self.features: list[Tensor] = []
        self.things: list[_Thing] = []
        self.cells: list[bool] = []
        self._crops: list[_Thing] = []

    def crop(self, image: RgbImage, thing: _Thing, mask: Mask | None = None) -> None:
        self._waiting.append((image, mask))
        self._crops.append(thing)
        if len(self._waiting) == 32:
            self.flush()

    def flush(self) -> None:
        """Each crop as a whole, and what is within its mask."""
        if not self._waiting:
            return
        images = torch.from_numpy(np.stack([image for image, _ in self._waiting]))
        masked = [place for place, (_, mask) in enumerate(self._waiting) if mask is not None]
        whole = np.full(images.shape[1:3], 255, np.uint8)
        masks = [np.stack((whole, whole if mask is None else mask)) for _, mask in self._waiting]
        shares = torch.from_numpy(np.stack(masks)).float() / 255
        means = self._seen(images, lambda pixels: self._trunk.within(pixels, shares)).half()
        self.features += [means[:, 0], means[masked, 1]]
        self.things += [*self._crops, *(self._crops[place] for place in masked)]
        self.cells += [False] * (len(self._crops) + len(masked))
        self._waiting, self._crops = [], []

    def frame(self, rng: np.random.Generator, image: RgbImage, ids: Ids, things: dict[int, _Thing]) -> None:
        """Cells that one thing covers; number 0 is the background."""
        self.flush()
        square = np.asarray(cv2.resize(image, (SIDE, SIDE), interpolation=cv2.INTER_AREA), np.uint8)
        map_of = self._seen(torch.from_numpy(square[None]), self._trunk.forward_features)[0]
        grid, maps = map_of.shape[-1], map_of.flatten(1).T  # (cells, C)
        for number, thing in things.items():
            share = cv2.resize((ids == number).astype(np.float32), (grid, grid), interpolation=cv2.INTER_AREA).ravel()
            clear = np.flatnonzero(share > 0.999 if number == 0 else share >= COVERED)
            chosen = rng.permutation(clear)[:CELLS]
            self.features.append(maps[torch.from_numpy(chosen)].half())
            self.things += [thing] * len(chosen)
            self.cells += [True] * len(chosen)

    @torch.no_grad()
    def _seen(self, images: Tensor, look: Callable[[Tensor], Tensor]) -> Tensor:
        """What a look at normalised pixels gives, of images uint8 (B, H, W, 3)."""
        with torch.autocast("cpu", torch.bfloat16):
            return look(normalised(images)).float()


def normalised(images: Tensor) -> Tensor:
    """uint8 (B, H, W, 3), RGB, as the trunk takes it: float32 (B, 3, H, W), channels last."""
    mean, std = (torch.tensor(value)[:, None, None] for value in (IMAGE_MEAN, IMAGE_STD))
    return ((images.permute(0, 3, 1, 2).float() / 255 - mean) / std).contiguous(memory_format=torch.channels_last)


def _see_world(rng: np.random.Generator, eye: _Eye, side: int, index: int, seed: int) -> None:
    world = generate(seed, 1 + index % 3, 1, ((288, 384), (480, 640))[index % 2])
    frame, ids = world.frames[0], world.ids[0]
    things = {}
    for each in world.objects:
        colour, pattern, shape = attributes(Look(each.colour, each.pattern, each.shape, each.size))
        colour = COLOURS.index(each.colour)
        things[each.id] = _Thing(frozenset(), shape, colour, pattern, WORLD)
        box = world.boxes[0, each.id - 1]
        if world.visible[0, each.id - 1] >= SEEN and not np.isnan(box).any() and min(box[2:]) >= 8:
            eye.crop(*_cut(rng, frame, ids == each.id, _shaken(rng, box), side, things[each.id]))
    ground = _Thing(origin=GROUND)
    for box in _empty_boxes(rng, ids, 2):
        eye.crop(square_crop(frame, box, side), ground)
    if index % FRAMES == 0:
        eye.frame(rng, frame, ids, {0: ground, **things})


def _see_stills(rng: np.random.Generator, eye: _Eye, side: int, real: Path) -> None:
    for still in open_stills(real):
        image, ids = still.read()
        things = {}
        for number in np.unique(ids[ids > 0]).tolist():
            name = still.names.get(number, "person" if "pennfudan" in str(still.image) else "")
            mask = ids == number
            box = np.array(cv2.boundingRect(mask.astype(np.uint8)), float)
            names = frozenset([name] if name else [])
            thing = _Thing(names, colour=colour_of(image[mask]), origin=REAL if name else UNNAMED)
            things[number] = thing
            if min(box[2:]) >= SMALLEST:
                for _ in range(JITTERS):
                    eye.crop(*_cut(rng, image, mask, _shaken(rng, box), side, thing))
                colour = int(rng.integers(len(COLOURS)))
                painted = recoloured(rng, image, mask, COLOURS[colour])
                other = replace(thing, colour=colour)
                eye.crop(*_cut(rng, painted, mask, _shaken(rng, box), side, other))
        known = {number: thing for number, thing in things.items() if thing.names}
        if known:
            eye.frame(rng, image, ids, {0: _Thing(origin=GROUND, names=frozenset(["?"])), **known})


def _see_named(rng: np.random.Generator, eye: _Eye, side: int, real: Path) -> None:
    for folder in sorted(path for path in real.glob("named/**/*") if path.is_dir()):
        words = [clean(part) for part in folder.relative_to(real / "named").parts[1:]]
        names = frozenset(word for word in words if word not in ("fruit", "vegetables", "packages"))
        for file in sorted(folder.glob("*.jpg")):
            image = cv2.imread(str(file), cv2.IMREAD_COLOR)
            if image is None:
                continue
            rgb = np.asarray(cv2.cvtColor(image, cv2.COLOR_BGR2RGB), np.uint8)
            eye.crop(square_crop(rgb, _part(rng, rgb), side), _Thing(names))


def _cut(
    rng: np.random.Generator,
    image: RgbImage,
    mask: npt.NDArray[np.bool_],
    box: tuple[float, float, float, float],
    side: int,
    thing: _Thing,
) -> tuple[RgbImage, _Thing, Mask]:
    """A crop of a thing, and its mask in it, about as far off as masks from a prompt are."""
    shape = square_crop(mask.astype(np.uint8) * np.uint8(255), box, side, 0)
    extent = int(rng.integers(1, 12))
    change = cv2.dilate if rng.random() < 0.6 else cv2.erode
    changed = np.asarray(change(shape, cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (extent, extent))), np.uint8)
    return square_crop(image, box, side), thing, changed if changed.any() else shape


def _part(rng: np.random.Generator, image: RgbImage) -> tuple[float, float, float, float]:
    """Most of a picture, as a box."""
    height, width = image.shape[:2]
    extent = rng.uniform(0.65, 0.95) * min(height, width) / 1.2
    x, y = (rng.normal(length / 2, 0.04 * length) - extent / 2 for length in (width, height))
    return x, y, extent, extent


def _shaken(rng: np.random.Generator, box: npt.NDArray[Any]) -> tuple[float, float, float, float]:
    x, y, width, height = box + rng.normal(0, 0.06, 4) * np.tile(box[2:], 2)
    return float(x), float(y), float(max(width, 4)), float(max(height, 4))


def _empty_boxes(rng: np.random.Generator, ids: Ids, count: int) -> Iterator[tuple[float, float, float, float]]:
    height, width = ids.shape
    for _ in range(4 * count):
        extent = rng.uniform(0.1, 0.35) * height
        x, y = rng.uniform(0, width - extent), rng.uniform(0, height - extent)
        if count and not ids[int(y) : int(y + extent) + 1, int(x) : int(x + extent) + 1].any():
            count -= 1
            yield float(x), float(y), float(extent), float(extent)


def shape_words(words: Sequence[str]) -> Tensor:
    """bool (words, shapes): which of the generated world's shapes a word might well name, so that nobody may call it wrong."""
    ends = [{word, *word.split()} for word in words]
    every = [{shape, *_ALSO.get(shape, ())} for shape in SHAPES]
    return torch.tensor([[bool(end & shape) for shape in every] for end in ends]).reshape(len(words), len(SHAPES))


_ALSO = {
    "ball": ("sphere", "basketball", "baseball", "football"),
    "box": ("brick", "cube", "block", "carton", "crate", "chest"),
    "ring": ("hoop", "bagel", "donut", "doughnut"),
    "moon": ("crescent", "banana"),
    "mug": ("cup", "pitcher"),
    "can": ("tin", "drum", "barrel"),
    "bowl": ("pot", "cup"),
    "duck": ("bird", "goose", "drake"),
    "fish": ("goldfish", "shark"),
    "car": ("cab", "taxi", "jeep", "convertible", "automobile", "wagon", "limousine", "truck", "van"),
    "boat": ("ship", "sailboat", "yawl", "canoe", "schooner"),
    "house": ("barn", "home", "birdhouse"),
    "mushroom": ("agaric", "bolete"),
    "pear": ("fruit",),
    "spoon": ("ladle", "spatula"),
    "bottle": ("flask",),
    "umbrella": ("parasol",),
    "star": ("starfish",),
    "key": ("keyboard",),
}
