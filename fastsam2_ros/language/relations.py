"""Simple relations in a description, which decide among things that look alike: "left", "right", "largest", "middle"."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from fastsam2_ros.language import scoring
from fastsam2_ros.language.grounding import Grounding
from fastsam2_ros.results import Box

RIVAL_SHARE = 0.6
"""A candidate takes part where its score is at least this share of the best one's: what fits the text far worse is another
kind of thing, wherever it is.
"""

Order = Callable[[Box, tuple[int, int]], float]
"""From a box and the frame's size (H, W) to a number that is lowest for what is meant."""


@dataclass(frozen=True)
class Relation:
    """What a description says of the place or size of a thing among its like.

    Attributes:
        name: left, right, largest or middle.
        order: sorts boxes by it.
    """

    name: str
    order: Order


def _middle_x(box: Box, size: tuple[int, int]) -> float:
    return box[0] + box[2] / 2


def _from_the_middle(box: Box, size: tuple[int, int]) -> float:
    return math.hypot(box[0] + box[2] / 2 - size[1] / 2, box[1] + box[3] / 2 - size[0] / 2)


LEFT = Relation("left", _middle_x)
RIGHT = Relation("right", lambda box, size: -_middle_x(box, size))
LARGEST = Relation("largest", lambda box, size: -box[2] * box[3])
MIDDLE = Relation("middle", _from_the_middle)

# At the beginning, before the noun, or at the end: "the remote left on the table" says nothing of left and right.
_AT_FIRST = r"^(?:the )?(?:{})(?: one)?(?: of the)? (?=\w)"
_AT_LAST = r"(?: that is| which is)?,? (?:{})$"
_PATTERNS = tuple(
    (re.compile(pattern.format(words), re.IGNORECASE), relation)
    for relation, first, last in (
        (LEFT, "left|leftmost|left-most", "(?:on|at|to) the (?:far )?left(?: side)?"),
        (RIGHT, "right|rightmost|right-most", "(?:on|at|to) the (?:far )?right(?: side)?"),
        (LARGEST, "largest|biggest", "the (?:largest|biggest)"),
        (
            MIDDLE,
            "middle|central|centre|center",
            "(?:nearest|closest) to the (?:middle|centre|center)|in the (?:middle|centre|center)",
        ),
    )
    for pattern, words in ((_AT_FIRST, first), (_AT_LAST, last))
)


def parse(description: str) -> tuple[str, Relation | None]:
    """The description without its relation, and the relation: "the left mug" gives "mug" and `LEFT`.

    Only what stands first ("left mug", "the largest of the boxes") or last ("mug on the left", "box nearest to the
    middle") is one. Of several the first in this module's order counts, and the others stay in the text.
    """
    for pattern, relation in _PATTERNS:
        plain = pattern.sub("", description, count=1).strip()
        if plain != description and plain:
            return plain, relation
    return description, None


def decide(
    found: Sequence[tuple[int, Grounding]],
    relations: Sequence[Relation | None],
    least: Sequence[float],
    size: tuple[int, int],
) -> list[tuple[int, Grounding]]:
    """Leave of each description's candidates those that fit it well enough, and the one that its relation means.

    Args:
        found: candidates, each with the index of its description.
        relations: one for each description, or None.
        least: margins, one for each description.
        size: (H, W) of the frame.
    """
    kept: list[tuple[int, Grounding]] = []
    for index, (relation, margin) in enumerate(zip(relations, least, strict=True)):
        own = [each for number, each in found if number == index and each.margin >= margin]
        if relation is not None and own:
            order = relation.order
            own = [min(_rivals(own), key=lambda each: order(each.box, size))]
        kept += [(index, each) for each in own]
    return kept


def _rivals(candidates: Sequence[Grounding]) -> list[Grounding]:
    """Distinct things, no parts of another, that fit nearly as well as the best."""
    best = max(each.score for each in candidates)
    rivals: list[Grounding] = []
    for each in sorted(candidates, key=lambda each: -each.score):
        parts = (scoring.mask_overlap(each.mask_logits, other.mask_logits) > scoring.PART_OF for other in rivals)
        if each.score >= RIVAL_SHARE * best and not any(parts):
            rivals.append(each)
    return rivals
