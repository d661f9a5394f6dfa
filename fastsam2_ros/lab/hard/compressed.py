"""Files that a node for compressed images gets, and has to track after."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import cv2
import numpy as np

from fastsam2_ros.lab.hard.case import Case, Group, expect
from fastsam2_ros.lab.hard.session import Session
from fastsam2_ros.lab.process_usage import MEGABYTE

BOMB_SIDE = 16_000
_GROWTH = 100 * MEGABYTE


def png_bomb(side: int = BOMB_SIDE) -> bytes:
    """A PNG of side x side black pixels of one bit each: some 30 kB, and 768 MB as RGB."""
    pixels = zlib.compressobj(9)
    row = bytes(1 + side // 8)
    data = b"".join([*(pixels.compress(row) for _ in range(side)), pixels.flush()])
    head = struct.pack(">IIBBBBB", side, side, 1, 0, 0, 0, 0)
    chunks = ((b"IHDR", head), (b"IDAT", data), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body)) for name, body in chunks
    )


def bad_files() -> dict[str, tuple[bytes, str]]:
    """Bytes and format of what is no picture."""
    noise = np.random.default_rng(0).integers(0, 256, (64, 64, 3), np.uint8)
    jpeg, png = (cv2.imencode(suffix, noise)[1].tobytes() for suffix in (".jpg", ".png"))
    return {
        "nothing": (b"", "jpeg"),
        "half a PNG": (png[: len(png) // 2], "png"),
        "the head of a JPEG": (jpeg[:100], "jpeg"),
        "a JPEG that ends early": (jpeg[:-100], "jpeg"),
        "text": (b"hello" * 100, "jpeg"),
        "zeros": (bytes(10_000), "png"),
        "SVG": (b"<svg xmlns='http://www.w3.org/2000/svg'/>", "svg"),
        "a GIF's head": (b"GIF89a" + bytes(20), "gif"),
        "depth": (png, "16UC1; compressedDepth png"),
        "a format that hides": (b"x", "\u202e\x1b[2J" * 5000),
    }


@contextmanager
def _stage(folder: Path) -> Iterator[Session]:
    with Session.open(folder, compressed=True) as session:
        yield session


def _tracks(session: Session) -> str:
    return f"IoU {session.track_the_world():.2f} with the truth"


def _bombs(session: Session) -> str:
    bomb = png_bomb()
    before = session.usage()
    for _ in range(3):
        said = session.refused(partial(session.peer.send_file, session.next_stamp(), bomb))
        expect("megapixels" in said, f"this is said: {said}")
        session.good()
    now = session.usage()
    grown, seconds = (now.resident - before.resident) / MEGABYTE, now.cpu_seconds - before.cpu_seconds
    expect(now.resident < before.resident + _GROWTH, f"{grown:.0f} MB more memory")
    return f"3 of {len(bomb) / 1000:.0f} kB: {grown:.0f} MB more memory, {seconds:.1f} s of computing with the images between"


def _bad_files(session: Session) -> str:
    for data, kind in bad_files().values():
        session.refused(partial(session.peer.send_file, session.next_stamp(), data, kind))
        session.good()
    return f"{len(bad_files())} kinds; IoU {session.track_the_world():.2f} after them"


def _quiet(session: Session) -> str:
    lines = session.log.splitlines()
    expect("Traceback" not in session.log, "there is a traceback in the log")
    odd = [line for line in lines if not line.isprintable() or len(line) > 1000]
    expect(not odd, f"a line that is too long or not printable: {odd[:1]!r}")
    foreign = [line for line in lines if not line.startswith("[")]
    expect(not foreign, f"a decoder's own words: {foreign[:3]}")
    return f"{len(lines)} lines"


GROUP = Group(
    "compressed",
    _stage,
    (
        Case("a described thing", "tracked in JPEG images, IoU above .5", _tracks),
        Case("PNG bombs", "16,000 x 16,000: dropped by name at once, under 100 MB more memory", _bombs),
        Case("bad files", "dropped by name; the next is tracked", _bad_files),
        Case("the log", "printable lines of the node's alone", _quiet),
    ),
    shared=True,
)
