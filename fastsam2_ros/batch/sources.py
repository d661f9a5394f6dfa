"""Many recordings named on a command line, and a folder for the results of each."""

from __future__ import annotations

import glob
import os
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

from fastsam2_ros.errors import InputError


@dataclass(frozen=True)
class Source:
    """A recording.

    Attributes:
        path: as it was named or found.
        name: of the folder of its results, another for each source of one command.
    """

    path: Path
    name: str


def is_pattern(word: str) -> bool:
    """Whether a word of the command line is a glob, and no path that exists."""
    return glob.has_magic(word) and not Path(word).exists()


def find_sources(words: Sequence[str]) -> list[Source]:
    """The paths and what the globs among them match, each once.

    A source is named by its path from where all of them begin: a glob where its first `*` is, a path in its folder. So
    two recordings of the same name in different folders have different names.

    Args:
        words: paths, which need not exist, and globs; `**` matches folders of any depth.

    Raises:
        InputError: a glob matches nothing.
    """
    paths: dict[Path, Path] = {}
    bases: list[str] = []
    for word in words:
        found = [word]
        if is_pattern(word):
            found = sorted(glob.glob(word, recursive=True))
            if not found:
                raise InputError(f"Nothing matches {word}.")
            bases.append(os.path.abspath(_fixed_part(word)))
        else:
            bases.append(os.path.dirname(os.path.abspath(word)))
        for each in found:
            paths.setdefault(Path(each).resolve(), Path(each))
    base = os.path.commonpath(bases)
    names = {path: "_".join(Path(os.path.relpath(path, base)).parts) for path in paths.values()}
    often = Counter(names.values())
    return [Source(path, name if often[name] == 1 else f"{name}-{_digest(path)}") for path, name in names.items()]


def _fixed_part(pattern: str) -> str:
    """The folder in which a glob begins to be one."""
    parts = Path(pattern).parts
    first = next(place for place, part in enumerate(parts) if glob.has_magic(part))
    return str(Path(*parts[:first]))


def _digest(path: Path) -> str:
    return sha256(os.fsencode(os.path.abspath(path))).hexdigest()[:8]
