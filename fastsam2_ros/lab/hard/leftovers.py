"""What the processes of a group leave behind: other processes, shared memory, mounted disks."""

from __future__ import annotations

import fcntl
import os
import re
import threading
from contextlib import suppress
from pathlib import Path
from types import TracebackType

from fastsam2_ros.lab.process_usage import mapped_segments

_LOOK_SECONDS = 0.5
_SEGMENT = re.compile("fast(dds|rtps)_[0-9a-f]{16}")
"""Names of shared memory that one process makes for itself. (Fast DDS's ports belong to all, and it cleans them itself.)"""


class Leftovers:
    """Watches the processes that this one starts, while it is open as a context manager.

    Args:
        folder: below which disks may be mounted.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._segments: set[Path] = set()
        self._before: set[int] = set()
        self._closed = threading.Event()
        self._thread = threading.Thread(target=self._look, name="leftovers", daemon=True)

    def __enter__(self) -> Leftovers:
        self._before = set(children())
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._closed.set()
        self._thread.join()

    def left(self) -> list[str]:
        """What is still there, by name."""
        mounts = [line.split()[1] for line in Path("/proc/mounts").read_text(encoding="utf-8").splitlines()]
        disks = [place for place in mounts if place.startswith(f"{self._folder}/")]
        processes = [f"process {pid}" for pid in children() if pid not in self._before]
        return [*processes, *disks, *(segment.name for segment in self._dead())]

    def remove_segments(self) -> int:
        """Remove the shared memory that nobody holds any more; how many segments that was."""
        dead = self._dead()
        for segment in dead:
            segment.unlink(missing_ok=True)
            _lock_of(segment).unlink(missing_ok=True)
        return len(dead)

    def _dead(self) -> list[Path]:
        with suppress(OSError):
            own = mapped_segments()
        return sorted(each for each in self._segments - own if each.exists() and not _is_held(each))

    def _look(self) -> None:
        while not self._closed.wait(_LOOK_SECONDS):
            self._look_once()

    def _look_once(self) -> None:
        for pid in [*children(), os.getpid()]:
            with suppress(OSError):
                self._segments |= {each for each in mapped_segments(pid) if _SEGMENT.fullmatch(each.name)}


def children() -> list[int]:
    """Processes that this one, or one that it started, has started and that are alive, except those that ended unseen."""
    parents: dict[int, int] = {}
    for place in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            fields = (place / "stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()
            if fields[0] != "Z":
                parents[int(place.name)] = int(fields[1])
    found = [os.getpid()]
    for pid in found:
        found += [child for child, parent in parents.items() if parent == pid]
    return found[1:]


def _is_held(segment: Path) -> bool:
    """Whether a process holds Fast DDS's lock on it. Where its lock file is gone, nobody does."""
    try:
        with _lock_of(segment).open("rb") as file:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except FileNotFoundError:
        return False
    except OSError:
        return True
    return False


def _lock_of(segment: Path) -> Path:
    return segment.with_name(f"{segment.name}_el")
