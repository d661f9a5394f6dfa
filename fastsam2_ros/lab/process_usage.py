"""What a process takes of the machine, from /proc."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from fastsam2_ros.process_memory import resident_bytes

MEGABYTE = 1 << 20
_TICKS = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True)
class ProcessUsage:
    """What a process has at a moment.

    Attributes:
        resident: memory, bytes.
        threads, files: open ones.
        segments: files of shared memory (below /dev/shm) that it has mapped.
        cpu_seconds: that it has computed since its start.
    """

    resident: int
    threads: int
    files: int
    segments: int
    cpu_seconds: float

    @classmethod
    def of(cls, pid: int | str = "self") -> ProcessUsage:
        """Of the process with this number; raises `OSError` where there is none."""
        place = Path("/proc", str(pid))
        # The name, which comes second and in brackets, may hold blanks.
        fields = (place / "stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()
        return cls(
            resident=resident_bytes(pid),
            threads=sum(1 for _ in (place / "task").iterdir()),
            files=sum(1 for _ in (place / "fd").iterdir()),
            segments=len(mapped_segments(pid)),
            cpu_seconds=(int(fields[11]) + int(fields[12])) / _TICKS,
        )


def mapped_segments(pid: int | str = "self") -> set[Path]:
    """The files of shared memory that a process has mapped."""
    lines = Path("/proc", str(pid), "maps").read_text(encoding="utf-8", errors="replace").splitlines()
    places = (line.split(maxsplit=5)[5] for line in lines if "/dev/shm/" in line)
    return {Path(place) for place in places if place.startswith("/dev/shm/")}
