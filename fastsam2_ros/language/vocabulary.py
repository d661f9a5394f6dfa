"""The fixed word lists: prompt templates, negatives, and the nouns and colours of automatic descriptions."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from fastsam2_ros.errors import InputError
from fastsam2_ros.language.descriptions import single

TEMPLATES = (
    "a photo of a {}.",
    "a photo of the {}.",
    "a close-up photo of a {}.",
    "a cropped photo of a {}.",
    "a photo of a {} in a scene.",
    "a blurry photo of a {}.",
)
"""Sentences that a description is put into; their embeddings are averaged, as CLIP's authors do (arXiv 2103.00020)."""

NEGATIVES = (
    "background",
    "floor",
    "wall",
    "ceiling",
    "sky",
    "ground",
    "grass",
    "road",
    "water",
    "tree",
    "building",
    "window",
    "door",
    "table top",
    "furniture",
    "shadow",
    "reflection",
    "texture",
    "pattern",
    "empty space",
    "dark area",
    "bright light",
    "blurry photo",
    "thing",
    "part of an object",
)
"""What a place in an image is when it is nothing in particular. A description is only ever scored
against these (see `negatives_for`)."""

COLOURS = ("red", "orange", "yellow", "green", "blue", "purple", "pink", "brown", "black", "white", "gray")
PATTERNS = ("plain", "striped", "dotted", "checked", "marbled")
_SAME = {"grey": "gray", "violet": "purple", "spotted": "dotted", "checkered": "checked", "chequered": "checked"}
"""Words for what stands in `COLOURS` or `PATTERNS` by another."""

NOUNS = tuple(
    """
    person; man; woman; child; baby; hand; face; dog; cat; bird; horse; cow; sheep; camel; swan; duck; fish; bear;
    car; truck; bus; van; bicycle; motorcycle; train; airplane; helicopter; drone; boat; scooter; skateboard;
    wheelchair; stroller; traffic light; traffic cone; street sign; bench; trash can; mailbox; fire hydrant;
    mug; cup; glass; bottle; can; bowl; plate; fork; knife; spoon; spatula; pan; pot; kettle; teapot; coffee machine;
    toaster; microwave; oven; refrigerator; sink; faucet; cutting board; jar; lid; sponge; towel; paper towel; napkin;
    apple; banana; orange; lemon; pear; tomato; carrot; cucumber; potato; bread; cake; sandwich; pizza; egg; candy;
    chair; armchair; sofa; stool; table; desk; bed; pillow; blanket; shelf; cabinet; drawer; lamp; mirror; clock; vase;
    potted plant; flower; picture frame; curtain; carpet; door handle; stairs; fan; candle;
    laptop; monitor; keyboard; computer mouse; phone; tablet; camera; headphones; speaker; remote control; television;
    battery; cable; power plug; charger; printer; robot; robot arm; gripper; wheel;
    box; cardboard box; package; pallet; crate; basket; bucket; bag; backpack; handbag; suitcase; tray; barrel;
    hammer; screwdriver; wrench; pliers; drill; saw; scissors; tape; tape measure; screw; bolt; nut; gear; pipe; ladder;
    book; notebook; pen; pencil; marker; paper; envelope; stapler; ruler; eraser;
    ball; toy block; toy car; teddy bear; doll; puzzle; dice; balloon; kite; frisbee; bat; racket; helmet;
    hat; shirt; jacket; trousers; shoe; sock; glove; glasses; watch; umbrella; ring; key; wallet; coin; card
    """.replace("\n", " ").split(";")
)
NOUNS = tuple(" ".join(noun.split()) for noun in NOUNS)
"""What is found in homes, workshops, warehouses and streets."""


def read_nouns(path: str) -> tuple[str, ...]:
    """What a file names, for automatic descriptions in place of `NOUNS`: a name on each line, '#' begins a comment.

    Raises:
        InputError: the file cannot be read as UTF-8 text, names nothing, or has a name that is too long.
    """
    try:
        lines = Path(path).expanduser().read_text("utf-8").splitlines()
    except (OSError, ValueError) as error:
        raise InputError(
            f"The vocabulary {path} cannot be read ({error}); give a UTF-8 text, a name a line."
        ) from error
    names = [single(line.partition("#")[0]) for line in lines]
    nouns = tuple(dict.fromkeys(name for name in names if name))
    if not nouns:
        raise InputError(f"The vocabulary {path} names nothing; write a name on each line, such as 'torque wrench'.")
    return nouns


def negatives_for(descriptions: Iterable[str]) -> tuple[str, ...]:
    """`NEGATIVES` less those that a description names: who asks for a door must not be told that it is only a door."""
    named = [words(description) for description in descriptions]
    return tuple(negative for negative in NEGATIVES if not any(words(negative) <= each for each in named))


def contrasts(description: str) -> tuple[str, ...]:
    """The description with every other colour or pattern in place of one that it names: negatives of it alone.

    A red cup is far nearer to "blue cup" than to "floor": only beside the former a CLIP tells whether the colour is right.
    A word counts where another follows: "orange" alone is a fruit.
    """
    spoken = description.split()
    found = []
    for place, word in enumerate(spoken[:-1]):
        plain = word.casefold().strip(",")
        named = _SAME.get(plain, plain)
        for group in (COLOURS, PATTERNS):
            if named in group:
                found += [" ".join((*spoken[:place], other, *spoken[place + 1 :])) for other in group if other != named]
    return tuple(found)


def words(text: str) -> set[str]:
    """Of a text: lower case, singular and plural alike."""
    return {word.strip(".,!?'\"").rstrip("s") for word in text.casefold().split()}
