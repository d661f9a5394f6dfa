"""What is said where a disk takes no more, and writing that is not broken off in the middle."""

from __future__ import annotations

import errno
import os
import shutil
import signal
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from fastsam2_ros.errors import BagError

_SIGNALS = (signal.SIGINT, signal.SIGTERM)


def cannot_write(file: Path, error: Exception) -> BagError:
    """The error that names the file, what kept it from being written and, where that was its size, the disk."""
    number = getattr(error, "errno", None)
    if number in (errno.ENOSPC, errno.EDQUOT) or (isinstance(error, sqlite3.Error) and "full" in str(error)):
        mount = _mount_point(file)
        free = shutil.disk_usage(mount).free / 1e6
        return BagError(f"{file} cannot be written: the disk {mount} is full ({free:.1f} MB free). Make room there.")
    if number == errno.EFBIG:
        return BagError(
            f"{file} cannot be written: it has reached the limit for the size of a file on {_mount_point(file)}."
        )
    return BagError(f"{file} cannot be written: {' '.join(str(error).split()) or type(error).__name__}.")


def write_whole(file: Path, data: bytes) -> None:
    """Write a file, or leave none.

    Raises:
        BagError: the disk is full, or the file cannot be made.
    """
    try:
        file.write_bytes(data)
    except OSError as error:
        file.unlink(missing_ok=True)
        raise cannot_write(file, error) from error


class LineFile:
    """A new text file to which whole lines are appended, each of them there for others at once.

    Raises:
        BagError: it cannot be made.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        try:
            self._file = path.open("xb", buffering=0)
        except OSError as error:
            raise cannot_write(path, error) from error

    def write(self, line: str) -> None:
        """Append a line, UTF-8; of one that does not fit on the disk nothing stays. Raises `BagError`."""
        data, place = (line + "\n").encode(), self._file.tell()
        try:
            # Near the end of a disk, less than all is written without an error; the next attempt has it.
            while data:
                data = data[self._file.write(data) :]
        except OSError as error:
            self._file.truncate(place)
            self._file.seek(place)
            raise cannot_write(self._path, error) from error

    def close(self) -> None:
        """Close the file."""
        self._file.close()


@contextmanager
def uninterrupted() -> Iterator[None]:
    """Hold back Ctrl-C and SIGTERM until the block is over, so that what it writes is whole."""
    if threading.current_thread() is not threading.main_thread():
        yield  # Python's handlers only ever run in the main thread
        return
    held: list[int] = []
    previous = {number: signal.signal(number, lambda number, _: held.append(number)) for number in _SIGNALS}
    try:
        yield
    finally:
        for number, handler in previous.items():
            signal.signal(number, signal.SIG_DFL if handler is None else handler)
        if held:
            signal.raise_signal(held[0])


def _mount_point(file: Path) -> Path:
    place = file.absolute().parent
    while not os.path.ismount(place):
        place = place.parent
    return place
