"""Exports on disk: made once, whole or not at all, and made again where they are damaged."""

from __future__ import annotations

import json
import logging
import os
import re
import shutil
from collections.abc import Callable, Mapping
from hashlib import sha256
from pathlib import Path
from tempfile import TemporaryDirectory, gettempdir, mkdtemp
from typing import TypeVar

from fastsam2_ros.errors import ModelError, first_line

_MANIFEST = "export.json"
"""File of an export that names the others with their SHA-256."""
_log = logging.getLogger(__name__)
Loaded = TypeVar("Loaded")


def cache_folder() -> Path:
    """`$XDG_CACHE_HOME/fastsam2_ros`, which is `~/.cache/fastsam2_ros` where that is not set."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "fastsam2_ros"


def load_cached(
    name: str, about: Mapping[str, object], export: Callable[[Path], None], load: Callable[[Path], Loaded]
) -> Loaded:
    """Load an export from the cache; where it is not there or damaged, make it first; where it cannot be kept, for once.

    Args:
        name: of what is exported, for people.
        about: everything that it depends on; another one is another export.
        export: writes it into an empty folder.
        load: reads it from there, and may go on writing there; raises where it is damaged.

    Raises:
        ModelError: it can be exported or loaded nowhere.
    """
    key = sha256(json.dumps(about, sort_keys=True).encode()).hexdigest()[:16]
    folder = cache_folder() / f"{_file_name(name)}-{key}"
    if folder.is_dir():
        try:
            loaded = _load_kept(folder, load)
        except Exception as error:  # what a runtime raises over a damaged file depends on its bytes
            _log.warning("The export %s is damaged (%s); it is made anew.", folder, first_line(error))
        else:
            _log.info("%s: taken from %s.", name, folder)
            return loaded
    _log.warning("%s: exported to %s, once for these weights; this may take a minute.", name, folder)
    try:
        _make(folder, about, export)
        return _load_kept(folder, load)
    except Exception as error:  # of a full disk some runtimes raise a RuntimeError
        _log.warning("No export can be kept in %s (%s); one is made for this time alone.", folder, first_line(error))
    try:
        with TemporaryDirectory() as temporary:
            export(Path(temporary))
            return load(Path(temporary))
    except Exception as error:
        raise ModelError(
            f"{name} can be exported neither to {cache_folder()} nor to {gettempdir()} ({first_line(error)}); make room "
            "there, or set model.backend to torch."
        ) from error


def _file_name(name: str) -> str:
    """A name as a part of a file's: no folders, and no more than file systems take."""
    return re.sub(r"[^\w-]+", "-", name)[:40]


def _load_kept(folder: Path, load: Callable[[Path], Loaded]) -> Loaded:
    """Load an export from where it stays; it is removed where that fails."""
    try:
        _check(folder)
        return load(folder)
    except Exception:
        shutil.rmtree(folder, ignore_errors=True)
        raise


def _make(folder: Path, about: Mapping[str, object], export: Callable[[Path], None]) -> None:
    """Export beside a folder, and then rename."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    part = Path(mkdtemp(prefix=".", dir=folder.parent))
    try:
        export(part)
        _seal(part, about)
        part.chmod(0o755)
        try:
            part.replace(folder)
        except OSError:
            if not folder.is_dir():  # else another process was first, and what it made is as good
                raise
    finally:
        shutil.rmtree(part, ignore_errors=True)


def _seal(folder: Path, about: Mapping[str, object]) -> None:
    files = {file.name: _sha256(file) for file in sorted(folder.iterdir())}
    (folder / _MANIFEST).write_text(json.dumps({"about": about, "files": files}, indent=1) + "\n", "utf-8")


def _check(folder: Path) -> None:
    """Raise `ValueError` or `OSError` where a file is not as it was written."""
    for name, digest in json.loads((folder / _MANIFEST).read_text("utf-8"))["files"].items():
        if _sha256(folder / name) != digest:
            raise ValueError(f"{name} is not what was written")


def _sha256(file: Path) -> str:
    digest = sha256()
    with file.open("rb") as stream:
        while chunk := stream.read(1 << 20):
            digest.update(chunk)
    return digest.hexdigest()
