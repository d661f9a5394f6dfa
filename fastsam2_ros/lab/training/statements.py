"""Sentences about things of a gallery, and of which things each is true, false, or nobody knows."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from fastsam2_ros.lab.synthetic.looks import COLOURS as WORLD_COLOURS
from fastsam2_ros.lab.synthetic.looks import PATTERNS, SHAPES, Look, draw_lookalike
from fastsam2_ros.lab.training.gallery import GROUND, REAL, UNKNOWN, UNNAMED, WORLD, Gallery, shape_words
from fastsam2_ros.lab.training.nouns import imagenet_nouns
from fastsam2_ros.lab.training.phrases import ABSENT_NOUNS, UNSAID, in_template, phrase
from fastsam2_ros.language.vocabulary import COLOURS

SURE, HARDLY = 0.5, 0.03
"""What the classifier gives a thing's classes: above, the word is true of a thing without a name; below, it is false."""
COLOUR_SAID = 0.45
NEAR_COLOURS = (
    *(
        ("red", "pink"),
        ("red", "orange"),
        ("red", "brown"),
        ("orange", "brown"),
        ("orange", "yellow"),
        ("brown", "black"),
    ),
    *(
        ("purple", "pink"),
        ("purple", "blue"),
        ("gray", "black"),
        ("gray", "white"),
        ("gray", "blue"),
        ("brown", "yellow"),
    ),
    *(("brown", "gray"), ("green", "yellow")),
)
"""Of real things, one may well be called the other."""


@dataclass(frozen=True)
class Statement:
    """What a sentence says.

    Attributes:
        sentence: the text.
        noun: lower case; empty: nothing is named but attributes.
        shape: of the generated world, where the noun is one of its words; `UNSAID`.
        colour: of the everyday colours; `UNSAID`.
        pattern: `UNSAID` where none is said.
    """

    sentence: str
    noun: str
    shape: int = UNSAID
    colour: int = UNSAID
    pattern: int = UNSAID


class Speaker:
    """Makes statements about a gallery's things.

    Args:
        gallery: the things.
        classes: float (n, 1000), the classifier's probabilities of each.
    """

    def __init__(self, gallery: Gallery, classes: Tensor) -> None:
        self._gallery, self._classes = gallery, classes
        self._nouns = imagenet_nouns()
        self._class_nouns = list(self._nouns)
        self._by_class: dict[int, list[str]] = {}
        for noun, numbers in self._nouns.items():
            for number in numbers:
                self._by_class.setdefault(number, []).append(noun)
        self._words = [word for word in gallery.words if word != "?"]
        self._near = torch.eye(len(COLOURS), dtype=torch.bool)
        for one, other in NEAR_COLOURS:
            row, column = COLOURS.index(one), COLOURS.index(other)
            self._near[row, column] = self._near[column, row] = True

    def about(self, rng: np.random.Generator, row: int) -> list[Statement]:
        """Something true of a thing, where anything is known of it, and something of a look-alike."""
        gallery = self._gallery
        origin, colour = int(gallery.origins[row]), int(gallery.colours[row])
        if origin == WORLD:
            names = WORLD_COLOURS[WORLD_COLOURS.index(COLOURS[colour])], PATTERNS[int(gallery.patterns[row])]
            look = Look(*names, SHAPES[int(gallery.shapes[row])])
            return [self._of_look(rng, look), self._of_look(rng, draw_lookalike(rng, look, int(rng.integers(1, 3))))]
        if origin == GROUND:
            return []
        noun = self._noun_of(rng, row)
        if not noun:
            return []
        said = colour if colour != UNKNOWN and rng.random() < COLOUR_SAID else UNSAID
        true = self._said(rng, noun, said)
        if said != UNSAID and rng.random() < 0.5:
            return [true, self._said(rng, noun, int(rng.integers(len(COLOURS))))]
        return [true]

    def at_random(self, rng: np.random.Generator, nouns: int, words: int, absent: int) -> list[Statement]:
        """Of ImageNet's nouns, of the gallery's words, and of everyday things in no class; some with a colour."""
        chosen = [self._class_nouns[place] for place in rng.integers(len(self._class_nouns), size=nouns)]
        if self._words:
            chosen += [self._words[place] for place in rng.integers(len(self._words), size=words)]
        chosen += [ABSENT_NOUNS[place] for place in rng.integers(len(ABSENT_NOUNS), size=absent)]
        return [
            self._said(rng, noun, int(rng.integers(len(COLOURS))) if rng.random() < 0.2 else UNSAID) for noun in chosen
        ]

    def of_classes(self, rng: np.random.Generator, numbers: np.ndarray) -> list[Statement]:
        """One name of each class."""
        return [self._said(rng, self._one_of(rng, self._own_names(int(number))), UNSAID) for number in numbers]

    def truth(self, rows: Tensor, statements: list[Statement]) -> Tensor:
        """int8 (rows, statements): 1 true, 0 false, -1 unknown."""
        gallery = self._gallery
        origins = gallery.origins[rows][:, None]
        nouns = self._noun_truth(rows, statements)
        said = torch.tensor([[each.colour, each.pattern] for each in statements])
        colour, thing_colour = said[None, :, 0], gallery.colours[rows][:, None]
        near = self._near[thing_colour.clamp(min=0), colour.clamp(min=0)] & (origins != WORLD)
        colours = torch.where(
            colour == UNSAID,
            1,
            torch.where(thing_colour == UNKNOWN, -1, torch.where(thing_colour == colour, 1, torch.where(near, -1, 0))),
        )
        pattern, thing_pattern = said[None, :, 1], gallery.patterns[rows][:, None]
        patterns = torch.where(
            pattern == UNSAID, 1, torch.where(thing_pattern == UNKNOWN, -1, (thing_pattern == pattern).long())
        )
        parts = torch.stack((nouns, colours, patterns))
        false, unknown = (parts == 0).any(0), (parts == -1).any(0)
        return torch.where(false, 0, torch.where(unknown, -1, 1)).to(torch.int8)

    # ---- pieces ----

    def _noun_truth(self, rows: Tensor, statements: list[Statement]) -> Tensor:
        gallery = self._gallery
        origins = gallery.origins[rows][:, None]
        classes = torch.zeros(len(statements), self._classes.shape[1])
        for place, each in enumerate(statements):
            classes[place, list(self._nouns.get(each.noun, ()))] = 1
        called = torch.tensor([[word == each.noun for word in gallery.words] for each in statements])
        called = called.reshape(len(statements), len(gallery.words))
        likely = self._classes[rows] @ classes.T  # (rows, statements)
        has_class = (classes.sum(1) > 0)[None]
        hit = (gallery.names[rows].float() @ called.float().T) > 0 if gallery.words else likely > 2
        named = torch.where(hit, 1, torch.where(has_class & (likely >= HARDLY), -1, 0))
        unnamed = torch.where(
            has_class, torch.where(likely > SURE, 1, torch.where(likely < HARDLY, 0, -1)), torch.tensor(-1)
        )
        maybe = shape_words([each.noun for each in statements])  # (statements, shapes)
        shape = torch.tensor([each.shape for each in statements])
        shapes = gallery.shapes[rows]
        same = shapes[:, None] == shape[None]
        generated = torch.where(
            shape[None] != UNSAID, same.long(), torch.where(maybe.T[shapes.clamp(min=0)], -1, torch.tensor(0))
        )
        # Behind photographs' objects is anything but others of the same 80 names; what is no potted plant may be a plant.
        named_there = (called & gallery.own_words).any(1)[None]
        photographed = gallery.names[rows][:, gallery.words.index("?"), None] if "?" in gallery.words else origins < 0
        ground = torch.where(photographed & ~named_there, -1, 0)
        result = torch.where(origins == WORLD, generated, torch.where(origins == GROUND, ground, named))
        result = torch.where(origins == UNNAMED, unnamed, result)
        unsaid = torch.tensor([not each.noun for each in statements])[None]
        return torch.where(unsaid & (origins != GROUND), 1, result)

    def _noun_of(self, rng: np.random.Generator, row: int) -> str:
        gallery = self._gallery
        if int(gallery.origins[row]) == REAL:
            own = [gallery.words[place] for place in gallery.names[row].nonzero()[:, 0].tolist()]
            return self._one_of(rng, own) if own else ""
        share, number = self._classes[row].max(0)
        return self._one_of(rng, self._by_class[int(number)]) if float(share) > SURE else ""

    def _own_names(self, number: int) -> list[str]:
        """Names that mean this class alone, where there are any."""
        every = self._by_class[number]
        return [noun for noun in every if len(self._nouns[noun]) == 1] or every

    def _said(self, rng: np.random.Generator, noun: str, colour: int) -> Statement:
        words = noun if colour == UNSAID else f"{COLOURS[colour]} {noun}"
        start = rng.choice(["", "the ", "a "], p=[0.7, 0.15, 0.15])
        shape = SHAPES.index(noun) if noun in SHAPES else UNSAID
        return Statement(in_template(rng, f"{start}{words}"), noun, shape, colour)

    def _of_look(self, rng: np.random.Generator, look: Look) -> Statement:
        sentence, (colour, pattern, shape) = phrase(rng, look)
        everyday = UNSAID if colour == UNSAID else COLOURS.index(WORLD_COLOURS[colour])
        return Statement(sentence, "" if shape == UNSAID else SHAPES[shape], shape, everyday, pattern)

    @staticmethod
    def _one_of(rng: np.random.Generator, options: list[str]) -> str:
        return options[int(rng.integers(len(options)))]
