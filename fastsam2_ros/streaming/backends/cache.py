"""Exports on disk: made once, whole or not at all, and made again where they are damaged."""

from __future__ import annotations

import json
import logging
import os
import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path
from tempfile import TemporaryDirectory, mkdtemp
from typing import TypeVar

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
    """Load an export from the cache; where it is not there or damaged, make it first.

    Args:
        name: of what is exported, for people.
        about: everything that it depends on; another one is another export.
        export: writes it into an empty folder.
        load: reads it from there; raises where it is damaged.
    """
    key = sha256(json.dumps(about, sort_keys=True).encode()).hexdigest()[:16]
    folder = cache_folder() / f"{name}-{key}"
    if folder.is_dir():
        try:
            _check(folder)
            loaded = load(folder)
        except Exception as error:  # what a runtime raises over a damaged file depends on its bytes
            _log.warning("The export %s is damaged (%s); it is made anew.", folder, _first_line(error))
            shutil.rmtree(folder, ignore_errors=True)
        else:
            _log.info("%s: taken from %s.", name, folder)
            return loaded
    with _written_to(folder) as part:
        _log.warning("%s: exported to %s, once for these weights; this may take a minute.", name, folder)
        export(part)
        _seal(part, about)
        return load(part)


@contextmanager
def _written_to(folder: Path) -> Iterator[Path]:
    """An empty folder that becomes `folder` after the block; one that is thrown away where the cache cannot be written."""
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        part = Path(mkdtemp(prefix=".", dir=folder.parent))
    except OSError as error:
        _log.warning("The cache cannot be written to (%s); the export is not kept.", error)
        with TemporaryDirectory() as temporary:
            yield Path(temporary)
        return
    try:
        yield part
        part.chmod(0o755)
        part.replace(folder)
    except OSError:
        if not folder.is_dir():  # else another process was first
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


def _first_line(error: BaseException) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0]
