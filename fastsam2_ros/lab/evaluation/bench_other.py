"""Runs in a process of its own, on another checkout's `fastsam2_ros`: tracks the frames that it is sent, and tells the time.

Of this package it uses what no version lacks: `TextTracker`, `from_mapping`, `flat_options`.
"""

from __future__ import annotations

import sys
import time
from contextlib import suppress
from multiprocessing.connection import Connection
from pathlib import Path


def main(connection: Connection) -> None:
    """Get what to track, then frames; give the seconds of each."""
    checkout, values, boxes, clock = connection.recv()
    sys.path[:] = [each for each in sys.path if Path(each or ".").resolve() != Path(__file__).parent]
    import fastsam2_ros
    from fastsam2_ros.config import flat_options, from_mapping
    from fastsam2_ros.tracker import TextTracker

    if Path(checkout).resolve() not in Path(fastsam2_ros.__file__).resolve().parents:
        sys.exit(f"{checkout} is no checkout of fastsam2_ros: {fastsam2_ros.__file__} is found instead.")
    known = flat_options()
    tracker = TextTracker.from_config(from_mapping({name: value for name, value in values.items() if name in known}))
    for box in boxes:
        tracker.set_box(box)
    now, number = time.process_time if clock == "cpu" else time.perf_counter, 0
    while True:
        frame, number = connection.recv(), number + 1
        start = now()
        tracker.step(frame, number * 33_333_333)
        connection.send(now() - start)


if __name__ == "__main__":
    with suppress(EOFError):  # nobody sends any more
        main(Connection(int(sys.argv[1])))
