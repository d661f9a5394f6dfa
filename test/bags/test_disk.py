"""A full disk, a kill and SIGTERM: what was written before can be read, and the error names disk and file."""

from __future__ import annotations

import errno
import json
import os
import resource
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import cv2
import numpy as np
import pytest

from fastsam2_ros.bags.disk import LineFile, cannot_write, uninterrupted, write_whole
from fastsam2_ros.bags.frames import open_frames
from fastsam2_ros.bags.messages import IMAGE, image_message, message_types
from fastsam2_ros.bags.overlay_video import OverlayVideo
from fastsam2_ros.bags.read import Bag
from fastsam2_ros.bags.result_files import MASK_TOPIC, ResultFiles
from fastsam2_ros.bags.source import FrameSource
from fastsam2_ros.bags.track_one import run_track
from fastsam2_ros.bags.write import BagWriter
from fastsam2_ros.errors import BagError

from .test_track import FakeTracker

ROOT = Path(__file__).parents[2]
STORAGES = ["mcap", "sqlite3"]
NOISE = np.random.default_rng(0).integers(0, 256, (96, 128, 3), np.uint8)


@contextmanager
def largest_file(size: int) -> Iterator[None]:
    """Files of this process end at so many bytes, as on a disk that is full."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    previous = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        signal.signal(signal.SIGXFSZ, previous)


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 3 MB."""
    disk = tmp_path / "disk"
    disk.mkdir()
    made = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=3m", "tmpfs", str(disk)], check=False, capture_output=True
    )
    if made.returncode:
        pytest.skip(f"no disk can be mounted here: {made.stderr.decode().strip()}")
    yield disk
    subprocess.run(["umount", "-l", str(disk)], check=True)


def noise_message(number: int):
    return image_message(NOISE, "rgb8", number, "camera")


def fill(path: Path, storage: str) -> int:
    """Write images until it fails; gives how many were taken."""
    with BagWriter(path, storage) as bag:
        bag.add_topic("/image", IMAGE)
        for number in range(1000):
            bag.write("/image", number, noise_message(number))
            bag.flush()
    return 1000


@pytest.mark.parametrize("storage", STORAGES)
def test_a_bag_at_the_limit_of_a_files_size_is_named_and_readable(tmp_path: Path, storage: str) -> None:
    with largest_file(2_000_000), pytest.raises(BagError, match=r"bag\.(mcap|db3) cannot be written: .*"):
        fill(tmp_path / "bag", storage)
    frames = list(open_frames(tmp_path / "bag"))
    assert len(frames) > 40
    np.testing.assert_array_equal(frames[-1].rgb, NOISE)


@pytest.mark.parametrize("storage", STORAGES)
def test_a_bag_on_a_full_disk_names_both_and_is_readable(small_disk: Path, storage: str) -> None:
    with pytest.raises(BagError, match=rf"bag\.(mcap|db3) cannot be written: the disk {small_disk} is full"):
        fill(small_disk / "bag", storage)
    assert len(list(open_frames(small_disk / "bag"))) > 60


def test_a_disk_that_is_full_at_the_end_leaves_a_readable_bag(tmp_path: Path) -> None:
    bag = BagWriter(tmp_path / "bag")
    bag.add_topic("/image", IMAGE)
    for number in range(20):
        bag.write("/image", number, noise_message(number))
    bag.flush()
    size = (tmp_path / "bag" / "bag.mcap").stat().st_size
    with largest_file(size + 10), pytest.raises(BagError, match="cannot be written"):
        bag.close()
    assert len(list(open_frames(tmp_path / "bag"))) == 20


def track_into(out: Path, source: FrameSource, filler: int = 0) -> None:
    """Track with every output, beside a file of `filler` bytes."""
    with ResultFiles(out, tokens=True) as outputs:
        (out.parent / "filler").write_bytes(bytes(filler))
        run_track(source, FakeTracker(), outputs)


def test_tracking_onto_a_full_disk_leaves_every_output_readable(make_bag, small_disk: Path) -> None:
    source = open_frames(make_bag(count=400))
    with pytest.raises(
        BagError, match=rf"cannot be written: the disk {small_disk} is full .* frames before are in .*out"
    ):
        track_into(small_disk / "out", source, filler=2_600_000)
    assert_readable(small_disk / "out")


def assert_readable(out: Path) -> int:
    """Pictures, lines and messages are whole, and as many as one another; gives how many lines there are."""
    lines = [json.loads(line) for line in (out / "tracks.jsonl").read_text("utf-8").splitlines()]
    assert lines
    for name in ("masks", "labels"):
        pictures = [cv2.imread(str(file), cv2.IMREAD_UNCHANGED) for file in (out / name).iterdir()]
        assert all(picture is not None for picture in pictures)
        assert abs(len(pictures) - len(lines)) <= 1
    with Bag(out / "bag") as bag:
        for message in bag.messages():
            message_types().deserialize_cdr(message.data, message.connection.msgtype)
    return len(lines)


@pytest.mark.parametrize("limit", [200_000, 50_000])
def test_tracking_at_the_limit_of_a_files_size_leaves_every_output_readable(
    make_bag, tmp_path: Path, limit: int
) -> None:
    source = open_frames(make_bag(count=400))
    with largest_file(limit), pytest.raises(BagError, match=r"cannot be written: .* frames before are in .*out"):
        track_into(tmp_path / "out", source)
    assert assert_readable(tmp_path / "out") > 5


def test_a_video_on_a_full_disk_can_be_played_up_to_there(tmp_path: Path) -> None:
    video = OverlayVideo(tmp_path / "overlay.mp4")
    noise = np.random.default_rng(0)

    def write_many() -> None:
        for number in range(400):
            video.write(noise.integers(0, 256, (96, 128, 3), np.uint8), number * 100_000_000)

    with largest_file(500_000), pytest.raises(BagError, match=r"overlay\.mp4 cannot be written"):
        write_many()
    video.close()
    frames, played = iter(open_frames(tmp_path / "overlay.mp4")), 0
    with suppress(BagError):
        while next(frames, None):
            played += 1
    assert played > 10


def test_a_line_that_does_not_fit_leaves_the_lines_before(tmp_path: Path) -> None:
    lines = LineFile(tmp_path / "lines")
    with largest_file(25):
        lines.write("0123456789")
        with pytest.raises(BagError, match="lines cannot be written"):
            lines.write("0123456789" * 2)
        lines.write("0123")
    lines.close()
    assert (tmp_path / "lines").read_text() == "0123456789\n0123\n"


def test_a_file_that_does_not_fit_is_not_there(tmp_path: Path) -> None:
    with largest_file(25), pytest.raises(BagError, match=r"a\.png cannot be written"):
        write_whole(tmp_path / "a.png", bytes(26))
    assert not (tmp_path / "a.png").exists()


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (OSError(errno.ENOSPC, "No space left on device"), "the disk /.* is full"),
        (OSError(errno.EDQUOT, "Disk quota exceeded"), "the disk /.* is full"),
        (sqlite3.OperationalError("database or disk is full"), "the disk /.* is full"),
        (OSError(errno.EFBIG, "File too large"), "limit for the size"),
        (OSError(errno.EIO, "Input/output error"), "Input/output error"),
        (ValueError(), "ValueError"),
    ],
)
def test_what_keeps_a_file_from_being_written_is_told(tmp_path: Path, error: Exception, message: str) -> None:
    with pytest.raises(BagError, match=rf"/file cannot be written: .*{message}"):
        raise cannot_write(tmp_path / "file", error)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_waits_for_the_end_of_what_is_written(number: signal.Signals) -> None:
    heard = []
    previous = signal.signal(number, lambda *_: heard.append("handler"))
    try:
        with uninterrupted():
            with uninterrupted():
                signal.raise_signal(number)
            heard.append("written")
        assert heard == ["written", "handler"]
    finally:
        signal.signal(number, previous)


TRACK = """
import sys, threading, types
stub = types.ModuleType("fastsam2_ros.tracker")  # the real one takes seconds to import
sys.modules["fastsam2_ros.tracker"], stub.TextTracker = stub, type("TextTracker", (), {})
from bags.test_track import FakeTracker
from fastsam2_ros import cli

class Slow(FakeTracker):
    def step(self, *arguments, **more):
        print(self.count, flush=True)
        threading.Event().wait(0.005)
        return super().step(*arguments, **more)

stub.TextTracker.from_config = lambda config: Slow()
sys.exit(cli.main(["track", sys.argv[1], "--description", "mug", "--tokens", "--out", sys.argv[2], "--storage", sys.argv[3]]))
"""


def tracking(bag: Path, out: Path, storage: str) -> subprocess.Popen[str]:
    places = [str(ROOT), str(ROOT / "test"), os.environ.get("PYTHONPATH", "")]
    return subprocess.Popen(
        [sys.executable, "-c", TRACK, str(bag), str(out), storage],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(places)},
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip


def wait_for_step(process: subprocess.Popen[str], number: int) -> None:
    for line in process.stdout or ():
        if line.strip() == str(number):
            return
    pytest.fail(f"it ended before: {process.stderr and process.stderr.read()}")


@pytest.mark.parametrize(
    ("number", "code", "storage"),
    [(signal.SIGTERM, 143, "mcap"), (signal.SIGTERM, 143, "sqlite3"), (signal.SIGINT, 130, "mcap")],
)
def test_track_that_is_stopped_leaves_everything_whole(
    make_bag: Callable[..., Path], tmp_path: Path, number: signal.Signals, code: int, storage: str
) -> None:
    process = tracking(make_bag(count=300), tmp_path / "out", storage)
    wait_for_step(process, 5)
    process.send_signal(number)
    _, trouble = process.communicate(timeout=60)
    assert process.returncode == code, trouble
    assert "Traceback" not in trouble
    count = assert_readable(tmp_path / "out")
    assert 5 <= count < 300
    for name in ("overlay.mp4", "tokens.mp4"):
        assert len(list(open_frames(tmp_path / "out" / name))) == count
    assert (tmp_path / "out" / "bag" / "metadata.yaml").is_file()
    with Bag(tmp_path / "out" / "bag") as bag:
        assert bag.count([MASK_TOPIC]) == count


@pytest.mark.parametrize("storage", STORAGES)
def test_track_that_is_killed_leaves_all_but_the_last_two_seconds(make_bag, tmp_path: Path, storage: str) -> None:
    process = tracking(make_bag(count=1000), tmp_path / "out", storage)
    steps: dict[int, float] = {}
    for line in process.stdout or ():
        steps[int(line)] = time.monotonic()
        if steps[int(line)] - steps[0] > 4:
            break
    process.kill()
    killed = time.monotonic()
    process.communicate()
    # A step is printed before its result is written, so the last but one is the one that must be there.
    due = max(number for number, seen in steps.items() if seen < killed - 2) - 1
    assert due > 0
    assert assert_readable(tmp_path / "out") >= due
    with Bag(tmp_path / "out" / "bag") as bag:
        assert sum(1 for _ in bag.messages([MASK_TOPIC])) >= due
