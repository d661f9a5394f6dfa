"""What the objects of a data set are called, from the files that come with it."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any

from fastsam2_ros.errors import InputError


@dataclass(frozen=True)
class Said:
    """What is said of one sequence.

    Attributes:
        descriptions: text by object.
        absent: descriptions of what is not in it.
        group: such as a level of difficulty.
    """

    descriptions: Mapping[int, str] = field(default_factory=dict)
    absent: Sequence[str] = ()
    group: str = ""


def of_sequence(root: Path, name: str, file: Path | None = None) -> Said:
    """What is said of a sequence; nothing where no file says anything.

    | file | of | what is read |
    |---|---|---|
    | `descriptions.json` | our own world, or written by hand | `{NAME: {"objects": {"1": "red mug"}, "absent": [...]}}` |
    | `meta_expressions.json` | Refer-YouTube-VOS | an object's first expression |
    | `meta.json` and the like | YouTube-VOS, LVOS | an object's category |

    Args:
        root: folder of the data set or of its split.
        name: of the sequence.
        file: of the form of `descriptions.json`, to be read in place of all these.

    Raises:
        InputError: a file that is there cannot be read.
    """
    own = file or root / "descriptions.json"
    if file is not None or own.is_file():
        return _own(own, _object(own).get(name, {}))
    expressions = [
        root / "meta_expressions.json",
        root.parent / "meta_expressions" / root.name / "meta_expressions.json",
    ]
    for listed in filter(Path.is_file, expressions):
        video = _object(listed).get("videos", {}).get(name, {})
        texts: dict[int, str] = {}
        for expression in video.get("expressions", {}).values():
            texts.setdefault(int(expression["obj_id"]), expression["exp"])
        return Said(texts)
    for listed in sorted(root.glob("*meta*.json")):
        objects = _object(listed).get("videos", {}).get(name, {}).get("objects", {})
        categories = {int(number): entry["category"] for number, entry in objects.items() if "category" in entry}
        if categories:
            return Said(categories)
    return Said()


def _own(file: Path, entry: Mapping[str, Any]) -> Said:
    try:
        objects = {int(number): str(text) for number, text in entry.get("objects", {}).items()}
        return Said(objects, [str(text) for text in entry.get("absent", [])], str(entry.get("group", "")))
    except (AttributeError, ValueError, TypeError) as error:
        raise InputError(f"{file} is not of the form NAME: objects: number: text ({error}).") from error


@lru_cache(maxsize=4)
def _object(file: Path) -> dict[str, Any]:
    try:
        content = json.loads(file.read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise InputError(f"{file} cannot be read as JSON: {error}") from error
    if not isinstance(content, dict):
        raise InputError(f"{file} holds no JSON object.")
    return content
