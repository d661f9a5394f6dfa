"""What is said of the generated world's things."""

from __future__ import annotations

import re

import numpy as np

from fastsam2_ros.lab.synthetic.looks import COLOURS, PATTERNS, SHAPES, Look, describe
from fastsam2_ros.language.vocabulary import COLOURS as EVERYDAY_COLOURS
from fastsam2_ros.language.vocabulary import NOUNS, TEMPLATES

UNSAID = -1
#: Which of colour, pattern and shape are said, and how often.
_SAID = (
    ((1, 0, 1), 0.35),
    ((1, 1, 1), 0.2),
    ((0, 1, 1), 0.15),
    ((0, 0, 1), 0.15),
    ((1, 1, 0), 0.08),
    ((1, 0, 0), 0.07),
)
_SIZE_SAID = 0.1
_TEMPLATED = 0.8
_ALSO_CALLED = {
    "box": ("brick", "toy brick", "toy block", "cube"),
    "ball": ("toy ball",),
    "ring": ("hoop",),
    "mug": ("coffee mug", "coffee cup"),
    "duck": ("toy duck", "rubber duck"),
    "car": ("toy car",),
    "boat": ("toy boat",),
    "house": ("toy house",),
}
"""What the descriptions of the world do not call its things, but people do."""
_OTHERWISE_CALLED = 0.25
WORDS = frozenset(word for shape in ("", *SHAPES) for text in describe(shape=shape) for word in text.split())
"""That descriptions call things by: nouns and articles."""
ABSENT_NOUNS = tuple(noun for noun in NOUNS if not {*WORDS, *COLOURS, *EVERYDAY_COLOURS} & set(noun.split()))
"""Everyday things that do not exist in the generated world."""


def attributes(look: Look) -> tuple[int, int, int]:
    """Colour, pattern and shape as indices of the vocabulary."""
    return COLOURS.index(look.colour), PATTERNS.index(look.pattern), SHAPES.index(look.shape)


def phrase(rng: np.random.Generator, look: Look) -> tuple[str, tuple[int, int, int]]:
    """A sentence that is true of a look, and the colour, pattern and shape that it names, or `UNSAID`."""
    shares = np.array([share for _, share in _SAID])
    colour, pattern, shape = _SAID[rng.choice(len(_SAID), p=shares)][0]
    # That a thing has no pattern is hardly ever said, and saying nothing says nothing.
    pattern = pattern and (look.pattern != "plain" or rng.random() < 0.3)
    if not colour and not shape:
        shape = 1
    size = look.size if rng.random() < _SIZE_SAID else ""
    options = describe(
        look.colour if colour else "", look.pattern if pattern else "", look.shape if shape else "", size
    )
    sentence = options[rng.integers(len(options))]
    others = _ALSO_CALLED.get(look.shape, ())
    if shape and others and rng.random() < _OTHERWISE_CALLED:
        sentence = re.sub(rf"\b{look.shape}\b", others[rng.integers(len(others))], sentence)
    # A plain look may be phrased without the word.
    said_pattern = pattern and (look.pattern != "plain" or "plain" in sentence)
    known = attributes(look)
    said = tuple(value if on else UNSAID for value, on in zip(known, (colour, said_pattern, shape), strict=True))
    return in_template(rng, sentence), (said[0], said[1], said[2])


def in_template(rng: np.random.Generator, phrase: str) -> str:
    """Mostly in one of CLIP's templates."""
    if rng.random() > _TEMPLATED:
        return phrase
    return TEMPLATES[rng.integers(len(TEMPLATES))].replace("{}", phrase)
