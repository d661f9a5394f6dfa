"""Processes that are killed or stopped while they work, and what is left and goes on after that."""

from __future__ import annotations

import os
import signal
import time
from functools import partial
from pathlib import Path

from fastsam2_ros.lab.hard.case import Case, Group, expect
from fastsam2_ros.lab.hard.peer import Peer
from fastsam2_ros.lab.hard.recordings import (
    IMAGE_TOPIC,
    TEXT_TOPIC,
    grown_to,
    missing_seconds,
    readable_messages,
    readable_results,
    write_source,
)
from fastsam2_ros.lab.hard.session import PATIENCE
from fastsam2_ros.lab.hard.workplace import Workplace, world

_KILLS = 2
_LOST_SECONDS = 2.0
_FEW_LINES = 1500
"""Bytes of tracks.jsonl after a few frames."""
_STOPS = (signal.SIGTERM, signal.SIGINT)
_MOMENTS = (("loading", signal.SIGTERM), ("working", signal.SIGINT), ("flooded", signal.SIGTERM))
_STORAGES = ("mcap", "sqlite3")


def _is_loading(peer: Peer) -> bool:
    return any("Loading" in status.message for status in peer.heard["status"])


def _tracks(peer: Peer, seconds: float) -> None:
    """Send images until one is answered by a mask."""
    frames = world().frames
    peer.heard["mask"].clear()
    end = time.monotonic() + seconds
    while not peer.heard["mask"] and time.monotonic() < end:
        peer.send(time.time_ns(), frames[0])
        time.sleep(0.1)
    expect(peer.heard["mask"], f"no mask within {seconds:.0f} s")


def _stop_the_node(place: Workplace) -> str:
    """While it loads, while it works, and while it is flooded."""
    times = []
    for moment, number in _MOMENTS:
        with place.peer() as peer:
            node = place.start_node("search_interval:=2.0")
            peer.wait_until(partial(_is_loading, peer), "the node loads its models", PATIENCE)
            if moment != "loading":
                peer.wait_until_active()
                peer.describe(world().description)
                _tracks(peer, PATIENCE)
            if moment == "flooded":
                for index in range(1000):
                    peer.describe("; ".join(f"thing {index} {part}" for part in range(8)))
            started = time.monotonic()
            place.end(node, number).expect(0, "Images received")
            times.append(time.monotonic() - started)
    return f"{len(times)} stops, the slowest in {max(times):.1f} s"


def _kill_the_node(place: Workplace) -> str:
    with place.peer() as peer:
        for _ in range(_KILLS):
            node = place.start_node()
            peer.heard["status"].clear()
            peer.wait_until_active()
            _tracks(peer, PATIENCE)
            code = place.end(node, signal.SIGKILL).code
            expect(code == -signal.SIGKILL, f"exit code {code}")
        node = place.start_node()
        peer.heard["status"].clear()
        peer.wait_until_active()
        _tracks(peer, PATIENCE)
        place.end(node, signal.SIGTERM).expect(0)
    return f"{_KILLS} kills, {_KILLS + 1} nodes that track"


def _kill_the_camera(place: Workplace) -> str:
    source = write_source(place.new("source"))
    words = ("replay", source, "--loop", "--topics", IMAGE_TOPIC)
    with place.peer() as peer:
        node = place.start_node()
        peer.wait_until_active()
        for _ in range(_KILLS):
            camera = place.start(*words)
            before = peer.status.processed
            peer.wait_until(lambda before=before: peer.status.processed > before + 2, "images are tracked", PATIENCE)  # type: ignore[misc]
            place.end(camera, signal.SIGKILL)
            peer.heard["diagnostics"].clear()
            peer.wait_until(
                lambda: any(
                    each.status[0].level == b"\2" and "No image has come" in each.status[0].message
                    for each in list(peer.heard["diagnostics"])
                ),
                "diagnostics say ERROR: no image has come",
                PATIENCE,
            )
        place.end(node, signal.SIGTERM).expect(0)
    return f"{_KILLS} kills: told each time, and tracked again"


def _recording(place: Workplace, storage: str) -> tuple[str, str, Path]:
    """A recording at work, whose file has grown: the processes' names, and the bag."""
    source = write_source(place.new("source"))
    out = place.new(f"recording_{storage}")
    record = place.start("record", out, IMAGE_TOPIC, TEXT_TOPIC, "--storage", storage)
    replay = place.start("replay", source, "--loop", "--topics", IMAGE_TOPIC, TEXT_TOPIC, "--wait", "60")
    expect(grown_to(out, 8_000_000, PATIENCE), "nothing is recorded")
    return record, replay, out


def _kill_record(place: Workplace) -> str:
    lost = []
    for storage in _STORAGES:
        record, replay, out = _recording(place, storage)
        killed_ns = time.time_ns()
        place.end(record, signal.SIGKILL)
        place.end(replay, signal.SIGTERM).expect(0)
        found = readable_messages(out)
        expect(set(found) == {IMAGE_TOPIC, TEXT_TOPIC}, f"{storage}: only {', '.join(found)}")
        lost += [missing_seconds(times, killed_ns) for times in found.values()]
        expect(max(lost) < _LOST_SECONDS, f"{storage}: {max(lost):.1f} s are lost")
    return f"at most {max(lost):.1f} s lost, of images and texts"


def _stop_record(place: Workplace) -> str:
    counts = []
    for storage, number in zip(_STORAGES, _STOPS, strict=True):
        record, replay, out = _recording(place, storage)
        place.end(record, number).expect(0)
        place.end(replay, signal.SIGTERM).expect(0)
        expect((out / "metadata.yaml").is_file(), f"{storage}: no metadata.yaml")
        counts.append(sum(len(times) for times in readable_messages(out).values()))
    return f"{' and '.join(map(str, counts))} messages, metadata.yaml"


def _tracking(place: Workplace, storage: str) -> tuple[str, Path]:
    """Tracking at work, a few frames on: the process's name, and its results."""
    source, out = write_source(place.new("source"), count=3000), place.new(f"track_{storage}")
    name = place.start("track", source, "--description", world().description, "--out", out, "--storage", storage)
    expect(grown_to(out / "tracks.jsonl", _FEW_LINES, 5 * PATIENCE), "nothing is tracked")
    return name, out


def _kill_track(place: Workplace) -> str:
    counts = []
    for storage in _STORAGES:
        name, out = _tracking(place, storage)
        time.sleep(_LOST_SECONDS)
        written = sum(1 for _ in (out / "masks").iterdir())
        time.sleep(_LOST_SECONDS)
        place.end(name, signal.SIGKILL)
        counts.append(readable_results(out))
        in_bag = min(map(len, readable_messages(out / "bag").values()))
        expect(counts[-1] >= written, f"{storage}: {counts[-1]} lines of {written}")
        expect(in_bag >= written - 1, f"{storage}: {in_bag} messages of {written}")
    return f"{' and '.join(map(str, counts))} frames, whole in lines, masks and bag"


def _stop_track(place: Workplace) -> str:
    counts = []
    for number, code in ((signal.SIGTERM, 143), (signal.SIGINT, 130)):
        name, out = _tracking(place, "mcap")
        place.end(name, number).expect(code)
        counts.append(readable_results(out))
        expect((out / "bag" / "metadata.yaml").is_file(), "the bag has no metadata.yaml")
        played = place.run("bag", out / "overlay.mp4", place.new("overlay")).expect(0, f"{counts[-1]} frames")
        expect(played.code == 0, "the video cannot be played")
    return f"{' and '.join(map(str, counts))} frames, video and bag closed"


def _kill_at_random(place: Workplace) -> str:
    """While modules are imported, the graph is joined, and files are made."""
    source = write_source(place.new("source"), count=20)
    for number in range(6):
        out = place.new("early")
        name = place.start("record", out, IMAGE_TOPIC) if number % 2 else place.start("track", source, "--out", out)
        time.sleep(0.4 * number)
        os.kill(place.processes.pid(name), signal.SIGTERM)
        outcome = place.outcome(name)
        expect("Traceback" not in outcome.text, f"a traceback: {outcome.text[-200:]}")
    return "6 moments, from 0 to 2 s after the start"


GROUP = Group(
    "kills",
    Workplace.open,
    (
        Case("SIGTERM, SIGINT of the node", "exit code 0 at once: loading, working, flooded", _stop_the_node),
        Case("kill -9 of the node", "the next one tracks", _kill_the_node),
        Case("kill -9 of the camera", "diagnostics say ERROR; the next one's images are tracked", _kill_the_camera),
        Case("kill -9 of record", "MCAP and SQLite readable, under 2 s lost", _kill_record),
        Case("SIGTERM, SIGINT of record", "exit code 0, MCAP and SQLite whole", _stop_record),
        Case("kill -9 of track", "lines, masks and bag readable, under 2 s lost", _kill_track),
        Case("SIGTERM, SIGINT of track", "exit codes 143 and 130, video and bag whole", _stop_track),
        Case("SIGTERM while starting", "no traceback, whatever the moment", _kill_at_random),
    ),
    kills=True,
)
