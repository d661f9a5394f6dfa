"""What things in the world are called, and who plays in a scene: a target, its look-alikes, and what is not there."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from itertools import product

import numpy as np

COLOURS = ("red", "orange", "yellow", "green", "blue", "purple", "black", "white")
PATTERNS = ("plain", "striped", "dotted", "checked", "marbled")
SIZES = ("small", "medium", "large")
SHAPES = (
    *("ball", "box", "triangle", "star", "ring", "cross", "heart", "moon"),
    *("mug", "bottle", "can", "bowl", "hammer", "key", "spoon", "umbrella"),
    *("duck", "fish", "car", "boat", "house", "tree", "mushroom", "pear"),
)

SIZE_SHARES = {"small": (0.02, 0.05), "medium": (0.05, 0.12), "large": (0.12, 0.30)}
"""Share of the first frame's area that the upright box of a thing of this size covers."""
ABSENT = 6
"""Descriptions of what is not there, for a sequence."""

_PATTERN_NOUNS = {
    "striped": ("stripes",),
    "dotted": ("dots", "polka dots"),
    "checked": ("checks",),
    "marbled": ("a marbled surface",),
}
_PATTERN_WORDS = {
    "plain": ("", "plain"),
    "striped": ("striped",),
    "dotted": ("dotted", "spotted"),
    "checked": ("checked", "checkered"),
    "marbled": ("marbled",),
}
_SIZE_WORDS = {"small": ("small", "little"), "medium": ("",), "large": ("large", "big")}
_SHAPE_WORDS = {
    "ball": ("sphere",),
    "box": ("cube", "block"),
    "ring": ("hoop",),
    "moon": ("crescent",),
    "mug": ("cup",),
}


@dataclass(frozen=True)
class Look:
    """What can be said of a thing: one of `COLOURS`, `PATTERNS`, `SHAPES` and `SIZES` each."""

    colour: str
    pattern: str
    shape: str
    size: str = "medium"

    @property
    def attributes(self) -> tuple[str, str, str]:
        """Colour, pattern, shape: what tells things apart. Size is only ever said in addition."""
        return self.colour, self.pattern, self.shape

    def shared(self, other: Look) -> int:
        """How many of colour, pattern and shape both have, 0 to 3."""
        return sum(mine == theirs for mine, theirs in zip(self.attributes, other.attributes, strict=True))


def describe(colour: str = "", pattern: str = "", shape: str = "", size: str = "") -> tuple[str, ...]:
    """Natural phrasings of a look, the plainest first; what is empty is not spoken of.

    `describe("red", "striped", "mug")` has "red striped mug", "the red striped mug", "a red mug with stripes",
    "red spotted cup" is another's. A plain pattern is mostly not said, as people do.
    """
    nouns = (shape, *_SHAPE_WORDS.get(shape, ())) if shape else ("thing", "object")
    sizes = _SIZE_WORDS[size] if size else ("",)
    patterns = _PATTERN_WORDS[pattern] if pattern else ("",)
    phrases = [_join(big, colour, how, noun) for noun, big, how in product(nouns, sizes, patterns)]
    for noun, big, surface in product(nouns[:1], sizes[:1], _PATTERN_NOUNS.get(pattern, ())):
        phrases.append(_join(big, colour, noun, "with", surface))
        if colour:
            phrases.append(_join(big, noun, "with", surface, "in", colour))
    spoken = [text for phrase in phrases for text in (phrase, f"the {phrase}", f"{_article(phrase)} {phrase}")]
    return tuple(dict.fromkeys(spoken))


def draw_look(rng: np.random.Generator, size: str = "medium") -> Look:
    """Any look, each attribute even."""
    return Look(_any(rng, COLOURS), _any(rng, PATTERNS), _any(rng, SHAPES), size)


def draw_lookalike(rng: np.random.Generator, target: Look, shared: int, size: str = "medium") -> Look:
    """A look that has exactly `shared` (0, 1 or 2) of the target's colour, pattern and shape."""
    kept = set(rng.permutation(3)[:shared].tolist())
    colour, pattern, shape = (
        mine if place in kept else _any(rng, [word for word in choice if word != mine])
        for place, (mine, choice) in enumerate(zip(target.attributes, (COLOURS, PATTERNS, SHAPES), strict=True))
    )
    return Look(colour, pattern, shape, size)


def unique_description(rng: np.random.Generator, target: Look, others: Collection[Look]) -> str:
    """A phrase that is true of the target and of nothing else; it names the shape, and at most what is needed more.

    Raises:
        ValueError: another thing has all of the target's attributes.
    """
    options = [
        (colour, pattern)
        for colour, pattern in product(("", target.colour), ("", target.pattern))
        # "plain" is rarely said, and its absence says nothing: then the colour alone has to tell.
        if (colour or pattern) and pattern != "plain" and not _true_of_any(colour, pattern, target.shape, others)
    ]
    if not options and not _true_of_any(target.colour, target.pattern, target.shape, others):
        options = [(target.colour, target.pattern)]
    if not options:
        raise ValueError(f"{target} has a double in the scene: no description can tell them apart.")
    colour, pattern = options[rng.integers(len(options))]
    size = target.size if target.size != "medium" and rng.random() < 0.15 else ""
    words = _join(size, colour, pattern, target.shape)
    return f"the {words}" if rng.random() < 0.3 else words


def absent_descriptions(rng: np.random.Generator, present: Collection[Look]) -> tuple[str, ...]:
    """`ABSENT` descriptions of things that are not there: every second one of a shape that is there, but not in that colour."""
    here = sorted({look.shape for look in present})
    missing = [shape for shape in SHAPES if shape not in here]
    phrases: list[str] = []
    while len(phrases) < ABSENT:
        shape = _any(rng, here if len(phrases) % 2 and here else missing)
        colour = _any(rng, COLOURS)
        pattern = _any(rng, PATTERNS[1:]) if rng.random() < 0.4 else ""
        phrase = _join(colour, pattern, shape)
        # The colour alone must be wrong, so that nobody has to judge how dotted a thing must be to be called dotted.
        if not _true_of_any(colour, "", shape, present) and phrase not in phrases:
            phrases.append(phrase)
    return tuple(phrases)


def _true_of_any(colour: str, pattern: str, shape: str, looks: Collection[Look]) -> bool:
    return any(
        colour in ("", look.colour) and pattern in ("", look.pattern) and shape in ("", look.shape) for look in looks
    )


def _any(rng: np.random.Generator, choice: Collection[str]) -> str:
    words = tuple(choice)
    return words[rng.integers(len(words))]


def _join(*words: str) -> str:
    return " ".join(word for word in words if word)


def _article(phrase: str) -> str:
    return "an" if phrase[0] in "aeiou" else "a"
