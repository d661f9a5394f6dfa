"""Text from elsewhere, made fit for a log line."""

from __future__ import annotations

import unicodedata


def printable(text: str, most: int = 200) -> str:
    """`text` in one line, without anything that a terminal would obey or that hides what is written.

    Args:
        text: from a message, a file or an error; any length.
        most: characters of it that are shown; the rest is told as a number.

    Returns:
        control characters, line ends, writing-direction marks and the like (Unicode's categories C, Zl and Zp) are written
        as Python would write them in a literal, such as \\x1b.
    """
    shown = "".join(_escaped(character) for character in text[:most])
    return shown if len(text) <= most else f"{shown}... ({len(text)} characters)"


def _escaped(character: str) -> str:
    category = unicodedata.category(character)
    if category.startswith("C") or category in ("Zl", "Zp"):
        return character.encode("unicode_escape").decode("ascii")
    return character
