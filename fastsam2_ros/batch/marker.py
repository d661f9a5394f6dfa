"""A folder of results that says what it was made of, once it is whole: so that nothing is done twice, or half."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from fastsam2_ros.bags.disk import write_whole
from fastsam2_ros.errors import BagError, InputError

FINISHED = "made.json"
"""File of a folder whose results are whole."""
UNFINISHED = "made.json.part"
"""File of a folder that is being written to, or whose writing was broken off."""
SOURCE = "source"
"""Of what a folder is made of: what may change until it is whole, such as a damaged recording that is mended."""


def finished(folder: Path, made: Mapping[str, Any]) -> int | None:
    """The number of frames, where the folder has all results of just this; None where it is still to be done.

    Args:
        folder: of results; need not exist.
        made: what they are made of, as JSON has it.

    Raises:
        InputError: it holds results of something else; unfinished ones of another `SOURCE` are to be done anew.
    """
    for name in (FINISHED, UNFINISHED):
        content = _read(folder / name)
        if content is None:
            continue
        differing = _differing(content.get("made", {}), json.loads(json.dumps(made)))
        if name == UNFINISHED:
            differing = [key for key in differing if content and key != SOURCE]
        if differing:
            raise InputError(
                f"{folder} is of another run (other {', '.join(differing)}); name another --out, or remove it first."
            )
        return int(content["frames"]) if name == FINISHED else None
    return None


def begin(folder: Path, made: Mapping[str, Any]) -> None:
    """Make the folder ready; what was left by a run that broke off is removed.

    Raises:
        BagError: it holds something that no such run has left, or cannot be written to.
    """
    try:
        if folder.is_dir() and any(folder.iterdir()):
            _clear(folder)
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise BagError(f"The folder {folder} cannot be made: {error}") from error
    write_whole(folder / UNFINISHED, _text({"made": made}))


def finish(folder: Path, made: Mapping[str, Any], frames: int) -> None:
    """Say that the results are whole, as the last thing that is done to them. Raises `BagError` on a full disk."""
    whole = folder / (FINISHED + ".new")
    write_whole(whole, _text({"made": made, "frames": frames}))
    whole.replace(folder / FINISHED)
    (folder / UNFINISHED).unlink()


def marked(folder: Path) -> bool:
    """Whether it is a folder of results, whole or not."""
    return any(os.path.lexists(folder / name) for name in (FINISHED, UNFINISHED))


def _clear(folder: Path) -> None:
    if not (folder / UNFINISHED).is_file():
        raise BagError(f"The folder {folder} is not empty; name another with --out, or remove it first.")
    for inner, _, _ in os.walk(folder):
        if Path(inner) != folder and marked(Path(inner)):
            raise BagError(f"The folder {folder} holds results of other recordings in {inner}; name another --out.")
    for each in folder.iterdir():
        # The marker stays: without it, nobody would know that the rest may be removed.
        if each.is_dir() and not each.is_symlink():
            shutil.rmtree(each)
        elif each.name != UNFINISHED:
            each.unlink()


def _text(content: Mapping[str, Any]) -> bytes:
    return (json.dumps(content, indent=1, ensure_ascii=False) + "\n").encode()


def _read(file: Path) -> dict[str, Any] | None:
    """None where there is no such file; nothing is known of a damaged one."""
    try:
        content = json.loads(file.read_text("utf-8"))
    except FileNotFoundError:
        return None
    except ValueError:
        return {}
    return content if isinstance(content, dict) else {}


def _differing(before: Mapping[str, Any], now: Mapping[str, Any]) -> list[str]:
    """Names of what is not the same."""
    return [key for key in now if before.get(key) != now[key]]
