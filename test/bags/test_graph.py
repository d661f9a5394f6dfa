"""Replay and record as their own processes over real DDS."""

import os
import re
import resource
import signal
import subprocess
import sys
import time
from importlib.util import find_spec
from pathlib import Path
from threading import Event

import numpy as np
import pytest
from rosbags.interfaces import QosReliability

from fastsam2_ros.bags.messages import IMAGE, image_message, message_types
from fastsam2_ros.bags.read import Bag, Message
from fastsam2_ros.bags.write import BagWriter, reliable_qos
from fastsam2_ros.message_fields import stamp_to_ns

pytestmark = pytest.mark.skipif(find_spec("rclpy") is None, reason="rclpy is not installed")

ROOT = Path(__file__).parents[2]
STRING = "std_msgs/msg/String"
COUNT = 10
TIMEOUT = 60


def started(*words: str | Path) -> subprocess.Popen[str]:
    # A domain of this process's own: other graphs on this machine are not heard.
    environment = {
        "FASTDDS_DEFAULT_PROFILES_FILE": str(ROOT / "config" / "fastdds.xml"),
        **os.environ,
        "ROS_DOMAIN_ID": str(100 + os.getpid() % 100),
        "PYTHONPATH": os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")])),
    }
    command = [sys.executable, "-m", "fastsam2_ros.cli", *map(str, words)]
    return subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def ended(process: subprocess.Popen[str]) -> tuple[int, str, str]:
    try:
        out, err = process.communicate(timeout=TIMEOUT)
    finally:
        process.kill()
    return process.returncode, out, err


def messages(path: Path) -> dict[str, list[Message]]:
    with Bag(path) as bag:
        return {topic: list(bag.messages([topic])) for topic in bag.topics()}


def write_source(path: Path, storage: str = "mcap", size: tuple[int, int] = (48, 64), interval_ns: int = 33_333_333):
    """COUNT reliable images, best-effort images and texts; all with stamps of long ago."""
    noise = np.random.default_rng(0)
    with BagWriter(path, storage) as bag:
        bag.add_topic("/image", IMAGE)
        best_effort = reliable_qos()._replace(reliability=QosReliability.BEST_EFFORT)
        bag.add_topic("/best_effort", IMAGE, [best_effort])
        bag.add_topic("/text", STRING)
        for number in range(COUNT):
            stamp = 12_345_678_901 + number * interval_ns
            rgb = noise.integers(0, 256, (*size, 3), np.uint8)
            bag.write("/image", stamp, image_message(rgb, "bgr8", stamp, "optical"))
            bag.write("/best_effort", stamp, image_message(rgb, "rgb8", stamp, "optical"))
            bag.write("/text", stamp, message_types().types[STRING](f"№ {number}"))
    return path


@pytest.fixture(scope="module")
def round_trip(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path, str]:
    """A source bag, what was recorded of its replay, and the replay's report."""
    folder = tmp_path_factory.mktemp("graph")
    source = write_source(folder / "source", "mcap")
    recording = folder / "recording"
    record = started(
        "record", recording, "/image", "/best_effort", "text",
        "--max-messages", str(3 * COUNT), "--storage", "sqlite3", "--duration", str(TIMEOUT),
    )  # fmt: skip
    code, report, trouble = ended(started("replay", source, "--wait", str(TIMEOUT)))
    assert code == 0, trouble
    code, _, trouble = ended(record)
    assert code == 0, trouble
    return source, recording, report


def test_recorded_bytes_are_the_sources(round_trip: tuple[Path, Path, str]) -> None:
    source, recording, _ = round_trip
    wanted, found = messages(source), messages(recording)
    assert {topic: len(items) for topic, items in found.items()} == dict.fromkeys(wanted, COUNT)
    for topic, items in wanted.items():
        assert [item.data for item in found[topic]] == [as_sent(item.data) for item in items]


def as_sent(data: bytes) -> bytes:
    """RTPS, the wire protocol of DDS, fills a message up to a multiple of four bytes."""
    return data + bytes(-len(data) % 4)


def test_recorded_stamps_are_the_sources(round_trip: tuple[Path, Path, str]) -> None:
    _, recording, _ = round_trip
    images = [message_types().deserialize_cdr(item.data, IMAGE) for item in messages(recording)["/image"]]
    assert [stamp_to_ns(image.header.stamp) for image in images] == [
        12_345_678_901 + number * 33_333_333 for number in range(COUNT)
    ]


def test_recorded_qos_is_the_publishers(round_trip: tuple[Path, Path, str]) -> None:
    with Bag(round_trip[1]) as bag:
        found = {item.topic: item.ext.offered_qos_profiles[0].reliability for item in bag.connections}
    assert found["/image"] == QosReliability.RELIABLE
    assert found["/best_effort"] == QosReliability.BEST_EFFORT


def test_messages_are_recorded_at_the_sources_pace(round_trip: tuple[Path, Path, str]) -> None:
    times = [item.time_ns for item in messages(round_trip[1])["/image"]]
    assert 0.2 < (times[-1] - times[0]) / 1e9 < 2


def test_the_report_counts_what_was_sent(round_trip: tuple[Path, Path, str]) -> None:
    assert re.search(
        rf"sent {3 * COUNT} messages in .*{COUNT} on /image.* late by .* ms on average, .* ms at most", round_trip[2]
    )


def test_a_bag_is_replayed_at_another_rate(tmp_path: Path) -> None:
    source = write_source(tmp_path / "source")
    code, report, trouble = ended(started("replay", source, "--wait", "0", "--hz", "15"))
    assert code == 0, trouble
    # Twice as long as recorded; not much longer, however busy the machine is.
    assert 0.99 * (COUNT - 1) / 15 < float(re.search(r"in ([\d.]+) s", report)[1]) < 2


def test_so_many_subscribers_are_waited_for(tmp_path: Path) -> None:
    source = write_source(tmp_path / "source")
    record = started("record", tmp_path / "out", "/image", "--max-messages", COUNT, "--duration", TIMEOUT)
    words = ["--topics", "/image", "--subscribers", 2]
    early = started("replay", source, *words, "--wait", 3)
    code, _, trouble = ended(early)
    assert code == 0, trouble
    assert "Fewer than 2 subscribers on /image after 3 s" in trouble
    assert ended(record)[0] == 0


def test_large_images_arrive_whole_under_another_name(tmp_path: Path) -> None:
    source = write_source(tmp_path / "source", size=(720, 1280))
    record = started("record", tmp_path / "out", "/left/image", "--max-messages", COUNT, "--duration", TIMEOUT)
    words = ["--topics", "/image", "--remap", "/image:=/left/image", "--wait", TIMEOUT]
    assert ended(started("replay", source, *words))[0] == 0
    assert ended(record)[0] == 0
    found = messages(tmp_path / "out")
    assert list(found) == ["/left/image"]
    assert [item.data for item in found["/left/image"]] == [item.data for item in messages(source)["/image"]]


def test_a_loop_and_a_recording_end_cleanly_on_a_signal(tmp_path: Path) -> None:
    source = write_source(tmp_path / "source", interval_ns=1_000_000)
    # The replay loops until it is stopped; the second recording ends by itself when more than one round has come.
    replay = started("replay", source, "--loop", "--topics", "/image", "--wait", TIMEOUT)
    record = started("record", tmp_path / "stopped", "/image")
    counted = started("record", tmp_path / "counted", "/image", "--max-messages", 3 * COUNT, "--duration", TIMEOUT)
    assert ended(counted)[0] == 0
    assert "recording /image" in record.stderr.readline()
    record.send_signal(signal.SIGINT)
    replay.send_signal(signal.SIGTERM)
    code, report, trouble = ended(replay)
    assert code == 0, trouble
    assert int(re.search(r"sent (\d+) messages", report)[1]) >= 3 * COUNT
    assert ended(record)[0] == 0
    assert (tmp_path / "stopped" / "metadata.yaml").is_file()


def test_a_message_that_is_not_installed_does_not_stop_the_others(tmp_path: Path) -> None:
    if find_spec("stereo_msgs"):
        pytest.skip("stereo_msgs is installed")
    with BagWriter(tmp_path / "source") as bag:
        bag.add_topic("/disparity", "stereo_msgs/msg/DisparityImage")
        bag.add_topic("/text", STRING)
        bag.write_bytes("/disparity", 1, b"\0\1\0\0")
        bag.write("/text", 2, message_types().types[STRING]("hello"))
    code, report, trouble = ended(started("replay", tmp_path / "source"))
    assert code == 0
    assert "sent 1 messages" in report
    assert "stereo_msgs/msg/DisparityImage is not installed" in trouble


def test_a_topic_that_never_appears_is_told(tmp_path: Path) -> None:
    code, _, trouble = ended(started("record", tmp_path / "out", "/nobody", "--duration", "0.3"))
    assert code == 0
    assert "/nobody had no publisher" in trouble


def test_a_replay_may_start_later_play_the_clock_and_wait_for_some_topics_alone(tmp_path: Path) -> None:
    """Nobody subscribes to /best_effort, which would be waited for."""
    source, recording = write_source(tmp_path / "source"), tmp_path / "recording"
    # Images from the fifth interval on, and the time of each of them.
    record = started("record", recording, "/image", "/clock", "--duration", str(TIMEOUT))
    words = ("--start", "0.16", "--clock", "--wait", str(2 * TIMEOUT), "--wait-for", "/image", "/clock")
    code, report, trouble = ended(started("replay", source, "--topics", "/image", "/best_effort", *words))
    assert code == 0, trouble
    assert "5 on /image" in report
    record.send_signal(signal.SIGINT)
    ended(record)
    wanted, found = messages(source)["/image"], messages(recording)
    assert [bytes(item.data) for item in found["/image"]] == [bytes(item.data) for item in wanted[5:]]
    kind = "rosgraph_msgs/msg/Clock"
    times = {stamp_to_ns(message_types().deserialize_cdr(bytes(item.data), kind).clock) for item in found["/clock"]}
    assert times <= {item.time_ns for item in wanted[5:]}
    assert times


@pytest.mark.parametrize("storage", ["mcap", "sqlite3"])
def test_a_killed_recording_has_all_but_the_last_two_seconds(tmp_path: Path, storage: str) -> None:
    source = write_source(tmp_path / "source")
    recording = tmp_path / "recording"
    record = started("record", recording, "/image", "/text", "--storage", storage)
    replay = started("replay", source, "--loop", "--topics", "/image", "/text", "--wait", str(TIMEOUT))
    try:
        # The last thing before the start of the messages, 30 of each topic a second.
        listing = [record.stderr.readline() for _ in range(2)]
        assert all(line.startswith("recording /") for line in listing)
        file = next(item for item in recording.iterdir() if item.suffix in (".mcap", ".db3"))
        patience = iter(range(20 * TIMEOUT))
        while file.stat().st_size < 1_500_000 and next(patience, None) is not None:
            Event().wait(0.05)
        record.kill()
        killed_ns = time.time_ns()
    finally:
        record.kill()
        replay.terminate()
        ended(replay)
        ended(record)
    found = messages(recording)
    assert set(found) == {"/image", "/text"}
    for items in found.values():
        assert len(items) > 10
        assert killed_ns - items[-1].time_ns < 2_000_000_000


@pytest.mark.parametrize("storage", ["mcap", "sqlite3"])
def test_a_recording_that_finds_no_more_room_says_so_and_is_readable(tmp_path: Path, storage: str) -> None:
    source = write_source(tmp_path / "source")
    recording = tmp_path / "recording"
    record = started("record", recording, "/image", "--storage", storage)
    resource.prlimit(record.pid, resource.RLIMIT_FSIZE, (600_000, 600_000))
    replay = started("replay", source, "--loop", "--topics", "/image", "--wait", str(TIMEOUT))
    try:
        code, _, trouble = ended(record)
    finally:
        replay.terminate()
        ended(replay)
    assert code == 2
    assert "Traceback" not in trouble
    assert re.search(r"error: .*recording\.(mcap|db3) cannot be written", trouble)
    assert len(messages(recording)["/image"]) > 20
