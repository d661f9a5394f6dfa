"""What else a found thing might be: the description with other nouns in place of its own.

A crop that fits "red bowl" better than "red mug" is no red mug, however much nearer it is to that than to "floor".
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Collection, Sequence

from torch import Tensor

from fastsam2_ros.language.protocols import ImageTextEncoder
from fastsam2_ros.language.vocabulary import COLOURS, NOUNS, TEMPLATES

SAME_MEANING = 0.75
"""Cosine similarity of texts from which on one is no alternative to the other: "cup" and "mug" have .8 by mini."""
KEPT = 64
"""Descriptions whose alternatives are kept."""
SHORT = 3
"""Words of a description, at most, whose last one is taken for its noun where no known noun is in it."""
GENERAL = (
    *("thing", "object", "one", "item", "something", "stuff", "part", "plant", "people", "pedestrian", "animal", "pet"),
    *("vehicle", "fruit", "vegetable", "food", "drink", "furniture", "container", "clothe"),
    *("toy", "tool", "machine", "device"),
)
"""What these mean are many kinds of things: being one of them is no reason against it. (Singular.)"""


class Alternatives:
    """Texts that compete with descriptions, embedded.

    Args:
        clip: the model, whose texts of one meaning are nearer to one another than `SAME_MEANING`, as those of mini are.
        nouns: of the things that there may be.
    """

    def __init__(self, clip: ImageTextEncoder, nouns: Sequence[str] = NOUNS) -> None:
        self._clip, self._nouns = clip, nouns
        self._kept: OrderedDict[str, Tensor] = OrderedDict()

    def of(self, description: str) -> Tensor:
        """float32 (k, D), unit norm; kept for the next call with the same description."""
        if description not in self._kept:
            # By one template each: to mini, that is the mean of all by .999 and more.
            others = self._clip.embed_texts(alternatives(description, self._nouns), TEMPLATES[:1], keep=False)
            text = self._clip.embed_texts([description])[0]
            self._kept[description] = others[others @ text < SAME_MEANING]
        self._kept.move_to_end(description)
        if len(self._kept) > KEPT:
            self._kept.popitem(last=False)
        return self._kept[description]


def alternatives(description: str, nouns: Sequence[str] = NOUNS) -> tuple[str, ...]:
    """A description with each of `nouns` in place of its own noun; none where that is not known, or is one of `GENERAL`.

    Its noun is the first name in it that is one of `NOUNS` or of `nouns`, with those that follow at once ("table lamp"); else
    the last word of a short description.
    """
    spoken = description.split()
    start, end = _noun([_plain(word) for word in spoken], {_key(name) for name in (*NOUNS, *nouns)})
    own = _key(" ".join(spoken[start:end]))
    if not own or own[-1] in GENERAL:
        return ()
    return tuple(" ".join((*spoken[:start], noun, *spoken[end:])) for noun in nouns if _key(noun) != own)


def _noun(spoken: Sequence[str], known: Collection[tuple[str, ...]]) -> tuple[int, int]:
    """From where to where it goes; nothing where nobody knows."""
    longest = max(map(len, known))

    def end_of(start: int) -> int:
        """Of the longest name that begins there; `start` where none does, and where it is a colour of what follows."""
        if spoken[start] in COLOURS and start + 1 < len(spoken):
            return start
        sizes = range(min(longest, len(spoken) - start), 0, -1)
        return start + next((size for size in sizes if tuple(spoken[start : start + size]) in known), 0)

    for start in range(len(spoken)):
        end = start
        while end < len(spoken) and (further := end_of(end)) > end:
            end = further
        if end > start:
            return start, end
    return (len(spoken) - 1, len(spoken)) if 0 < len(spoken) <= SHORT else (0, 0)


def _key(name: str) -> tuple[str, ...]:
    return tuple(_plain(word) for word in name.split())


def _plain(word: str) -> str:
    """Lower case, singular and plural alike."""
    return word.casefold().strip(".,!?'\"").rstrip("s")
