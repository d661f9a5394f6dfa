"""Many recordings named on a command line, and a folder for the results of each."""

from __future__ import annotations

import glob
import os
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

from fastsam2_ros.batch.marker import marked
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
    return glob.has_magic(word) and not os.path.exists(word)


def find_sources(words: Sequence[str], out: Path, taken: Sequence[str] = ()) -> list[Source]:
    """The paths and what the globs among them match, each once; no glob matches results of earlier runs.

    A source is named by its path from where all of them begin: a glob where its first `*` is, a path in its folder. So
    two recordings of the same name in different folders have different names.

    Args:
        words: paths, which need not exist, and globs; `**` matches folders of any depth.
        out: where results go. What lies in there is no match, unless the glob begins in there; nor is what lies in any
            folder of results.
        taken: names that no source gets.

    Raises:
        InputError: a glob matches nothing else.
    """
    paths: dict[str, Path] = {}
    bases: list[str] = []
    for word in words:
        found = [word]
        if is_pattern(word):
            base = os.path.abspath(_fixed_part(word))
            matches = sorted(glob.glob(word, recursive=True))
            found = [each for each in matches if not _is_result(each, base, out)]
            if not found:
                raise InputError(f"Nothing matches {word}{' but results of earlier runs' if matches else ''}.")
            bases.append(base)
        else:
            bases.append(os.path.dirname(os.path.abspath(word)))
        for each in found:
            paths.setdefault(os.path.realpath(each), Path(each))
    base = os.path.commonpath(bases)
    names = {path: _name(path, base) for path in paths.values()}
    often = Counter([*names.values(), *taken])
    return [Source(path, name if often[name] == 1 else f"{name}-{_digest(path)}") for path, name in names.items()]


def _name(path: Path, base: str) -> str:
    """Of a folder in `--out`: never that one itself, nor the one above."""
    parts = [part for part in Path(os.path.relpath(path, base)).parts if part != os.pardir]
    return "_".join(parts) or os.path.basename(os.path.abspath(path)) or _digest(path)


def _is_result(path: str, base: str, out: Path) -> bool:
    place, results = Path(os.path.realpath(path)), Path(os.path.realpath(out))
    if place.is_relative_to(results) and not Path(os.path.realpath(base)).is_relative_to(results):
        return True
    return any(marked(folder) for folder in (place, *place.parents))


def _fixed_part(pattern: str) -> str:
    """The folder in which a glob begins to be one."""
    parts = Path(pattern).parts
    first = next(place for place, part in enumerate(parts) if glob.has_magic(part))
    return str(Path(*parts[:first]))


def _digest(path: Path) -> str:
    return sha256(os.fsencode(os.path.abspath(path))).hexdigest()[:8]
