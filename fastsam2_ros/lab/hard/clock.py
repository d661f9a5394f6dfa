"""A simulated time that jumps."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from fastsam2_ros.lab.hard.case import Case, Group, expect
from fastsam2_ros.lab.hard.session import PATIENCE, Session

_JUMPS = (1, 5, 5, 1_000_000_000, 2, 0, 2**31 - 1, 3)
"""Seconds on /clock, one after another."""


@contextmanager
def _stage(folder: Path) -> Iterator[Session]:
    with Session.open(folder, "use_sim_time:=true") as session:
        yield session


def _no_clock(session: Session) -> str:
    session.good()
    session.peer.wait_until(
        lambda: any("/clock" in each.status[0].message for each in list(session.peer.heard["diagnostics"])),
        "diagnostics name /clock",
        PATIENCE,
    )
    return f"told; IoU {session.track_the_world():.2f}"


def _jumps(session: Session) -> str:
    for seconds in _JUMPS:
        session.peer.tick(seconds)
        before = len(session.peer.heard["diagnostics"])
        session.good()
        session.peer.wait_until(
            lambda before=before: len(session.peer.heard["diagnostics"]) > before,  # type: ignore[misc]
            f"diagnostics come after /clock said {seconds} s",
            PATIENCE,
        )
    expect("Traceback" not in session.log, "there is a traceback in the log")
    return f"{len(_JUMPS)} of them; IoU {session.track_the_world():.2f} after them"


GROUP = Group(
    "clock",
    _stage,
    (
        Case("no clock", "told in diagnostics; images are tracked all the same", _no_clock),
        Case("jumps", "forward, back and to the ends: each image has its mask, and diagnostics go on", _jumps),
    ),
    shared=True,
)
