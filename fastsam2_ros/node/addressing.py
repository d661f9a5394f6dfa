"""Which of several cameras a text is for."""

from __future__ import annotations

import re
from collections.abc import Sequence

from fastsam2_ros.errors import InputError

_NAME = re.compile(r"[A-Za-z]\w*", re.ASCII)
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
    next name. Those before the first name are for all cameras.

    Args:
        text: descriptions, separated by ';', such as 'red mug' or 'front: red mug; plate; left: cup'.
        cameras: all names; the only one may have none, and the text is then for it as it is.
    """
    if len(cameras) == 1 and not cameras[0]:
        return {"": text}
    common: list[str] = []
    own: dict[str, list[str]] = {}
    current = common
    for part in text.split(";"):
        name, colon, rest = part.partition(":")
        addressed = colon and name.strip() in cameras
        if addressed:
            current = own.setdefault(name.strip(), [])
        current.append(rest if addressed else part)
    if own and not any(part.strip() for part in common):
        return {name: ";".join(parts) for name, parts in own.items()}
    return {name: ";".join([*common, *own.get(name, [])]) for name in cameras}
