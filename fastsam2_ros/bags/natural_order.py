"""The files of a folder in the order that people mean."""

from __future__ import annotations

import re
from collections.abc import Collection
from pathlib import Path


def visible_files(folder: Path, suffixes: Collection[str]) -> list[Path]:
    """The files with one of these suffixes, in any case: frame2 before frame10. Hidden ones are left out.

    What begins with a dot is hidden, the `._` companions that macOS leaves beside every file among them.
    """
    files = [
        file
        for file in folder.iterdir()
        if file.suffix.lower() in suffixes and not file.name.startswith(".") and file.is_file()
    ]
    return sorted(files, key=lambda file: (_natural(file.name), file.name))


def _natural(name: str) -> list[tuple[int, str]]:
    """Numbers by their value, before and between texts."""
    parts = re.split(r"(\d+)", name)
    return [(int(part), "") if place % 2 else (-1, part) for place, part in enumerate(parts)]
