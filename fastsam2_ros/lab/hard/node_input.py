"""What one node gets, and has to track after."""

from __future__ import annotations

import array
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from fastsam2_ros.encodings import ENCODINGS
from fastsam2_ros.lab.hard import floods
from fastsam2_ros.lab.hard.case import Case, Group, expect
from fastsam2_ros.lab.hard.session import PATIENCE, Session
from fastsam2_ros.lab.process_usage import MEGABYTE

_WHOLE = 2**32 - 1
BAD_IMAGES: dict[str, dict[str, Any]] = {
    "no height": {"height": 0},
    "no width": {"width": 0},
    "no data": {"data": array.array("B")},
    "truncated": {"data": array.array("B", bytes(1000))},
    "no step": {"step": 0},
    "step of one byte": {"step": 1},
    "step too large": {"step": 2**31},
    "no encoding": {"encoding": ""},
    "unknown encoding": {"encoding": "rgb9"},
    "depth": {"encoding": "32FC1"},
    "an escape sequence": {"encoding": "\x1b[31mred\x1b[2J"},
    "right to left": {"encoding": "\u202egbr"},
    "encoding of 100 kB": {"encoding": "x" * 100_000},
    "nv12 without colours": {"encoding": "nv12", "step": 320, "data": array.array("B", bytes(320 * 240))},
    "width of an odd yuyv": {"encoding": "yuyv", "width": 319},
}
RAW_BOMBS = ((65_535, 65_535), (_WHOLE, _WHOLE), (1, _WHOLE), (16_000, 16_000))
TEXTS = (
    "x" * 501, "x" * 100_000, ";".join(f"thing {number}" for number in range(1000)), ";;;;", "\0\0", "\x1b]0;owned\x07mug",
    "\u202egum der", "杯" * 10_000, "\n" * 1000, "🇩🇪" * 200, "'; DROP TABLE targets; --", "%s%n%x {0} {self}", "a\u0301" * 400,
)  # fmt: skip
BOXES = ((0, 0, 0, 0), (10, 10, 0, 5), (5000, 5000, 10, 10), (_WHOLE, _WHOLE, _WHOLE, _WHOLE), (0, 0, _WHOLE, _WHOLE))
SIZES = ((1, 1), (1, 2000), (2000, 1), (128, 1024), (3, 5), (480, 640))
STAMPS = (0, 1, 2**31 * 10**9 - 1, -(2**31) * 10**9, -1, 10**18, 10**18, 5)
_BLACK = np.zeros((48, 64, 3), np.uint8)
_GROWTH = 400 * MEGABYTE


@contextmanager
def _stage(folder: Path) -> Iterator[Session]:
    with Session.open(folder) as session:
        yield session


def _tracks(session: Session) -> str:
    return f"IoU {session.track_the_world():.2f} with the truth"


def _bad_images(session: Session) -> str:
    for fields in BAD_IMAGES.values():
        session.refused(partial(session.peer.send, session.next_stamp(), session.next_frame(), **fields))
        session.good()
    return f"{len(BAD_IMAGES)} kinds; IoU {session.track_the_world():.2f} after them"


def _encodings(session: Session) -> str:
    random = np.random.default_rng(0)
    for name, layout in ENCODINGS.items():
        step = 64 * layout.channels * layout.size
        rows = 48 * 3 // 2 if layout.has_two_planes else 48
        data = array.array("B", random.integers(0, 256, step * rows, np.uint8).tobytes())
        stamp = session.next_stamp()
        send = partial(session.peer.send, stamp, _BLACK, encoding=name, step=step, data=data)
        session.answered(send, stamp, (48, 64))
    return f"{len(ENCODINGS)} of them"


def _sizes(session: Session) -> str:
    for size in SIZES:
        session.good(np.random.default_rng(0).integers(0, 256, (*size, 3), np.uint8))
    return ", ".join(f"{width} x {height}" for height, width in SIZES)


def _stamps(session: Session) -> str:
    for stamp in STAMPS:
        session.good(stamp_ns=stamp)
    return f"{len(STAMPS)} of them"


def _raw_bombs(session: Session) -> str:
    before = session.usage().resident
    for height, width in RAW_BOMBS:
        said = session.refused(
            partial(session.peer.send, session.next_stamp(), session.next_frame(), height=height, width=width)
        )
        expect("megapixels" in said, f"this is said: {said}")
    session.good()
    grown = (session.usage().resident - before) / MEGABYTE
    expect(grown < 100, f"{grown:.0f} MB more memory")
    return f"{len(RAW_BOMBS)} of them, up to {_WHOLE:,} x {_WHOLE:,}; {grown:.0f} MB more memory"


def _texts(session: Session) -> str:
    for text in TEXTS:
        session.peer.describe(text)
        session.good()
        session.peer.wait_until(
            lambda: str(session.peer.status.message).isprintable(), "the status is printable", PATIENCE
        )
        expect(
            all(each.isprintable() and len(each) <= 500 for each in session.peer.status.descriptions),
            f"{text[:30]!r} gave {session.peer.status.descriptions!r}",
        )
    return f"{len(TEXTS)} of them; IoU {session.track_the_world():.2f} after them"


def _boxes(session: Session) -> str:
    for box in BOXES:
        session.peer.give_box(*box)
        session.good()
    objects = session.peer.heard["tracks"][-1].objects
    expect(len(objects) <= 2, f"{len(objects)} targets")  # the world's, and the one of the box that is the whole frame
    return f"{len(BOXES)} of them; IoU {session.track_the_world():.2f} after them"


def _log(session: Session) -> str:
    lines = session.log.splitlines()
    expect("Traceback" not in session.log, "there is a traceback in the log")
    expect(len(lines) < 150, f"{len(lines)} lines")
    longest = max(map(len, lines))
    expect(longest < 1000, f"a line of {longest} characters")
    odd = [line for line in lines if not line.isprintable()]
    expect(not odd, f"a line that is not printable: {odd[:1]!r}")
    return f"{len(lines)} lines, the longest of {longest} characters"


def _usage(session: Session) -> str:
    before, now = session.before, session.usage()
    grown = (now.resident - before.resident) / MEGABYTE
    expect(now.resident < before.resident + _GROWTH, f"{grown:.0f} MB more memory")
    expect(now.threads <= before.threads + 2, f"{now.threads} threads in place of {before.threads}")
    expect(now.files <= before.files + 4, f"{now.files} files in place of {before.files}")
    return f"{grown:.0f} MB more; {now.threads} threads and {now.files} files, at first {before.threads} and {before.files}"


def _ends(session: Session) -> str:
    session.place.end(session.name, signal.SIGTERM).expect(0, "Images received")
    return session.log.splitlines()[-1].partition("]: ")[2]


_GOOD_AFTER = "dropped by name; the next is tracked"
GROUP = Group(
    "node",
    _stage,
    (
        Case("a described thing", "tracked, with the image's stamp and size, IoU above .5", _tracks),
        Case("bad images", _GOOD_AFTER, _bad_images),
        Case("raw bombs", f"{_GOOD_AFTER}; no memory is taken", _raw_bombs),
        Case("every encoding", "a mask of the image's size and stamp", _encodings),
        Case("odd sizes, changing", "the same", _sizes),
        Case("odd stamps", "the same", _stamps),
        Case("odd descriptions", "clean ones are taken up, the others told; the next is tracked", _texts),
        Case("odd boxes", "told; the next image is tracked", _boxes),
        *floods.CASES,
        Case("the log", "under 150 printable lines of under 1,000 characters, no traceback", _log),
        Case("the process", "no more threads and files, under 400 MB more memory", _usage),
        Case("SIGTERM", "exit code 0 and a summary", _ends),
    ),
    shared=True,
)
