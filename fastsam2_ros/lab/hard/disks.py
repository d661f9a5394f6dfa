"""Disks that take no more."""

from __future__ import annotations

import resource
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from fastsam2_ros.lab.hard.case import Case, Group, SkippedError, expect
from fastsam2_ros.lab.hard.recordings import IMAGE_TOPIC, readable_messages, readable_results, write_source
from fastsam2_ros.lab.hard.workplace import Workplace, world

_DISK_BYTES = 8_000_000
_LIMIT = 6_000_000
_FRAME = 240 * 320 * 3
_STORAGES = ("mcap", "sqlite3")


@contextmanager
def _small_disk(place: Workplace) -> Iterator[Path]:
    """A disk of 8 MB."""
    disk = place.new("disk")
    disk.mkdir()
    words = ["mount", "-t", "tmpfs", "-o", f"size={_DISK_BYTES}", "tmpfs", str(disk)]
    try:
        made = subprocess.run(words, check=False, capture_output=True, text=True)
    except OSError as error:
        raise SkippedError(f"no disk can be mounted: {error}") from None
    if made.returncode:
        raise SkippedError(f"no disk can be mounted: {made.stderr.strip()}")
    try:
        yield disk
    finally:
        subprocess.run(["umount", "-l", str(disk)], check=True)


def _record(place: Workplace, out: Path, storage: str, limit: int | None = None) -> int:
    """Record until there is no more room; how many images can be read."""
    source = write_source(place.new("source"), count=60)
    record = place.start("record", out, IMAGE_TOPIC, "--storage", storage)
    if limit is not None:
        resource.prlimit(place.processes.pid(record), resource.RLIMIT_FSIZE, (limit, limit))
    replay = place.start("replay", source, "--loop", "--topics", IMAGE_TOPIC, "--wait", "60")
    place.outcome(record).expect(2, f".{'mcap' if storage == 'mcap' else 'db3'} cannot be written")
    place.end(replay, signal.SIGTERM).expect(0)
    count = len(readable_messages(out).get(IMAGE_TOPIC, []))
    room = (_DISK_BYTES if limit is None else limit) // _FRAME
    expect(count >= 0.6 * room, f"{storage}: {count} images, and there was room for {room}")
    return count


def _record_on_a_full_disk(place: Workplace) -> str:
    counts = []
    for storage in _STORAGES:
        with _small_disk(place) as disk:
            counts.append(_record(place, disk / "bag", storage))
    return f"{' and '.join(map(str, counts))} images, of some {_DISK_BYTES // _FRAME} that had room"


def _record_at_the_limit(place: Workplace) -> str:
    counts = [_record(place, place.new("limited"), storage, _LIMIT) for storage in _STORAGES]
    return f"{' and '.join(map(str, counts))} images, of some {_LIMIT // _FRAME} that had room"


def _track_on_a_full_disk(place: Workplace) -> str:
    source = write_source(place.new("source"), noise=True)
    counts = []
    for storage in _STORAGES:
        with _small_disk(place) as disk:
            (disk / "filler").write_bytes(bytes(_DISK_BYTES - 1_500_000))
            words = ("--box", "100,80,60,60", "--set", "language.name=none", "--storage", storage)
            outcome = place.run("track", source, *words, "--out", disk / "out")
            outcome.expect(2, "is full", f"the disk {disk}", "frames before are in")
            counts.append(readable_results(disk / "out"))
            expect(counts[-1] > 5, f"{storage}: {counts[-1]} frames")
    return f"{' and '.join(map(str, counts))} frames before, readable"


def _bag_on_a_full_disk(place: Workplace) -> str:
    source = write_source(place.new("source"), count=100)
    with _small_disk(place) as disk:
        place.run("bag", source, disk / "bag").expect(2, "is full", f"the disk {disk}")
        count = sum(map(len, readable_messages(disk / "bag").values()))
    expect(count > 20, f"{count} images")
    return f"{count} images before, readable"


def _no_room_at_all(place: Workplace) -> str:
    source = write_source(place.new("source"), count=3)
    with _small_disk(place) as disk:
        (disk / "filler").write_bytes(bytes(_DISK_BYTES - 4096))
        place.run("bag", source, disk / "bag").expect(2)
        words = ("--description", world().description, "--out", disk / "out")
        place.run("track", source, *words).expect(2)
    return "told"


GROUP = Group(
    "disks",
    Workplace.open,
    (
        Case("record on a full disk", "exit code 2, disk and file named; readable up to there", _record_on_a_full_disk),
        Case("record at a file's limit", "the same with RLIMIT_FSIZE", _record_at_the_limit),
        Case("track on a full disk", "the same; lines, masks and bag readable", _track_on_a_full_disk),
        Case("bag on a full disk", "the same", _bag_on_a_full_disk),
        Case("no room at all", "exit code 2, one line", _no_room_at_all),
    ),
)
