"""Which processes there are."""

from contextlib import suppress
from pathlib import Path


def running(mark: str) -> list[str]:
    """Command lines of the processes, alive, whose words hold `mark`."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            words = (process / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
            if mark in words:
                found.append(words)
    return found
