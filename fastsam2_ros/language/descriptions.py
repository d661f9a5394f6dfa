"""From the text that a user sends to a clean list of descriptions."""

from __future__ import annotations

import re
import unicodedata

from fastsam2_ros.errors import InputError

SEPARATOR = ";"
_SEPARATORS = re.compile("[;\uff1b\u061b]")
"""The ASCII one, the full-width one, and the Arabic one; the Greek question mark becomes the first of them by NFC."""
_JOINERS = "\u200c\u200d"
MAX_CHARACTERS = 500
"""Far more than the 77 tokens that CLIP reads; longer texts are mistakes, not descriptions."""


def parts(text: str) -> list[str]:
    """What separators divide a text into, as it is."""
    return _SEPARATORS.split(unicodedata.normalize("NFC", text))


def split(text: str, max_targets: int) -> tuple[str, ...]:
    """The descriptions in `text`, separated by ';' or '；', in order, each once (`key` says which are equal).

    White space is collapsed; control and format characters and unpaired surrogates are removed.

    Returns:
        () where nothing is left: a blank text describes nothing.

    Raises:
        InputError: a description is too long, or there are more than `max_targets`.
    """
    descriptions: dict[str, str] = {}
    for part in parts(text):
        description = _clean(part)
        if len(description) > MAX_CHARACTERS:
            raise InputError(
                f"The description '{description[:40]}...' has {len(description)} characters; at most {MAX_CHARACTERS} "
                "are taken, and CLIP reads no more than 77 tokens (about 50 words). Say it shorter, or separate "
                f"several targets by '{SEPARATOR}'."
            )
        if description:
            descriptions.setdefault(key(description), description)
    if len(descriptions) > max_targets:
        raise InputError(
            f"The text describes {len(descriptions)} targets, and max_targets is {max_targets}. "
            "Name fewer, or raise max_targets."
        )
    return tuple(descriptions.values())


def single(text: str) -> str:
    """One clean description; a semicolon becomes a comma. Empty where nothing is left.

    Raises:
        InputError: it is too long.
    """
    return "".join(split(_SEPARATORS.sub(",", text), 1))


def key(description: str) -> str:
    """The same for descriptions that are equal after Unicode normalisation, case folding and collapsing of white space.

    Characters that are not seen, such as joiners and marks of direction, do not count.
    """
    folded = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", description).casefold())
    return " ".join("".join(c for c in folded if unicodedata.category(c) != "Cf").split())


def _clean(text: str) -> str:
    """NFC, printable, single spaces; joiners stay, since scripts and emoji need them. Empty where nothing is to be seen."""
    hidden = ("Cc", "Cs", "Cf")
    kept = "".join(c for c in text if c.isspace() or c in _JOINERS or unicodedata.category(c) not in hidden)
    return " ".join(unicodedata.normalize("NFC", kept).split()) if key(kept) else ""
