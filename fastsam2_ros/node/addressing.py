"""Which of several cameras a text is for."""

from __future__ import annotations

import re
from collections.abc import Sequence

from fastsam2_ros.errors import InputError
from fastsam2_ros.language import descriptions

_NAME = re.compile(r"[A-Za-z]\w*", re.ASCII)
_COLON = re.compile("[:\uff1a]")
"""The ASCII one, and the full-width one."""
_MOST = 32


def check_cameras(names: Sequence[str]) -> None:
    """Raise `InputError` where cameras cannot be named like that."""
    for name in names:
        if not _NAME.fullmatch(name) or "__" in name or name.endswith("_"):
            raise InputError(
                f"cameras has {name!r}: a name is part of topics; take letters, digits and single _, a letter first."
            )
    if len({*names}) < len(names):
        raise InputError(f"cameras is {', '.join(names)}; each has to have a name of its own.")
    if len(names) > _MOST:
        raise InputError(f"cameras has {len(names)} names; {_MOST} are the most.")


def texts_by_camera(text: str, cameras: Sequence[str]) -> dict[str, str]:
    """What each camera is to look for: those that the text is not for are left out.

    A description that begins with a camera's name and a colon is for that camera alone, and so are those after it, up to the
    next name. Those before the first name are for all cameras. Capital letters in a name do not matter.

    Args:
        text: descriptions, separated by ';', such as 'red mug' or 'front: red mug; plate; left: cup'.
        cameras: all names; the only one may have none, and the text is then for it as it is.

    Raises:
        InputError: a word before a colon is the name of no camera.
    """
    if _is_unnamed(cameras):
        return {"": text}
    common, own = _parts(text, cameras)
    if own and not any(part.strip() for part in common):
        return {name: ";".join(parts) for name, parts in own.items()}
    return {name: ";".join([*common, *own.get(name, [])]) for name in cameras}


def text_of(camera: str, text: str, cameras: Sequence[str]) -> str:
    """What one camera is to look for by a text that is for it alone, without its name.

    Raises:
        InputError: the text names another camera, or none that there is.
    """
    if _is_unnamed(cameras):
        return text
    common, own = _parts(text, cameras)
    if others := [name for name in own if name != camera]:
        raise InputError(
            f"This is the action of the camera '{camera}', and the description names '{others[0]}': leave it out."
        )
    return ";".join([*common, *own.get(camera, [])])


def _is_unnamed(cameras: Sequence[str]) -> bool:
    return len(cameras) == 1 and not cameras[0]


def _parts(text: str, cameras: Sequence[str]) -> tuple[list[str], dict[str, list[str]]]:
    """Descriptions for all cameras, and those for one, by its name."""
    common: list[str] = []
    own: dict[str, list[str]] = {}
    current = common
    for part in descriptions.parts(text):
        word, *rest = _COLON.split(part, maxsplit=1)
        if not rest or not _NAME.fullmatch(word.strip()):
            current.append(part)
            continue
        current = own.setdefault(_camera(word.strip(), cameras), [])
        current += rest
    return common, own


def _camera(word: str, cameras: Sequence[str]) -> str:
    if word in cameras:
        return word
    same = [name for name in cameras if name.casefold() == word.casefold()]
    if len(same) != 1:
        raise InputError(
            f"'{word}:' in the description is not the name of a camera ({', '.join(cameras)}): correct it, or leave out the "
            "colon."
        )
    return same[0]
