"""Header stamps are data: order, output bags and videos follow the time of recording."""

import json
import logging
import sqlite3
from pathlib import Path

import cv2
import numpy as np
import pytest

from fastsam2_ros import cli
from fastsam2_ros.bags.frames import open_frames
from fastsam2_ros.bags.messages import IMAGE, image_message, message_types
from fastsam2_ros.bags.overlay_video import OverlayVideo
from fastsam2_ros.bags.read import Bag
from fastsam2_ros.bags.result_files import LABELS_TOPIC, MASK_TOPIC, TRACKS_TOPIC
from fastsam2_ros.bags.rising_stamps import RisingStamps
from fastsam2_ros.bags.source import Frame
from fastsam2_ros.bags.write import BagWriter
from fastsam2_ros.errors import BagError
from fastsam2_ros.message_fields import stamp_to_ns
from fastsam2_ros.tracker import TextTracker

from .test_track import FakeTracker

SECOND = 1_000_000_000
START = 1_700_000_000 * SECOND
PERIOD = 100_000_000
TIMES = [START + number * PERIOD for number in range(6)]
LAST = 2**31 - 1
STAMPS = {
    "start again": [TIMES[0], TIMES[1], TIMES[2], 0, PERIOD, 2 * PERIOD],
    "first zero": [0, *TIMES[1:]],
    "all zero": [0] * 6,
    "largest": [*TIMES[:5], LAST * SECOND + 999_999_999],
    "negative": [-5 * SECOND - 1, *TIMES[1:]],
    "smallest": [-(2**31) * SECOND, *TIMES[1:]],
    "backwards": TIMES[::-1],
}
RISING = {"first zero", "largest", "negative", "smallest"}


@pytest.fixture(params=STAMPS)
def odd(request, tmp_path: Path) -> tuple[str, Path]:
    path = tmp_path / "odd"
    with BagWriter(path) as bag:
        bag.add_topic("/image", IMAGE)
        for number, (stamp, time_ns) in enumerate(zip(STAMPS[request.param], TIMES, strict=True)):
            grey = np.full((24, 32, 3), 10 + 20 * number, np.uint8)
            bag.write("/image", time_ns, image_message(grey, "rgb8", stamp, "optical"))
    return request.param, path


def recorded(path: Path, topic: str) -> list[tuple[int, int]]:
    """Stamp and recording time of each message."""
    with Bag(path) as bag:
        messages = [
            (message_types().deserialize_cdr(m.data, m.connection.msgtype), m.time_ns) for m in bag.messages([topic])
        ]
    return [(stamp_to_ns(message.header.stamp), time_ns) for message, time_ns in messages]


def test_frames_come_in_recorded_order_with_their_headers(odd: tuple[str, Path]) -> None:
    name, path = odd
    frames = list(open_frames(path))
    assert [(frame.stamp_ns, frame.time_ns) for frame in frames] == list(zip(STAMPS[name], TIMES, strict=True))
    assert [int(frame.rgb[0, 0, 0]) for frame in frames] == [10, 30, 50, 70, 90, 110]


def test_a_bag_of_them_has_all_with_headers_and_times(odd: tuple[str, Path], tmp_path: Path) -> None:
    name, path = odd
    assert cli.main(["bag", str(path), str(tmp_path / "out"), "--topic", "/again"]) == 0
    assert recorded(tmp_path / "out", "/again") == list(zip(STAMPS[name], TIMES, strict=True))


def test_the_beginning_is_left_out_by_recording_time(odd: tuple[str, Path], tmp_path: Path) -> None:
    name, path = odd
    assert cli.main(["bag", str(path), str(tmp_path / "out"), "--topic", "/again", "--start", "0.25"]) == 0
    assert recorded(tmp_path / "out", "/again") == list(zip(STAMPS[name], TIMES, strict=True))[3:]


def test_tracking_them_gives_results_at_recorded_times(
    odd: tuple[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    name, path = odd
    monkeypatch.setattr(TextTracker, "from_config", lambda config: FakeTracker())
    out = tmp_path / "out"
    with caplog.at_level(logging.WARNING):
        assert cli.main(["track", str(path), "--description", "mug", "--out", str(out)]) == 0
    lines = [json.loads(line) for line in (out / "tracks.jsonl").read_text("utf-8").splitlines()]
    assert [line["stamp_ns"] for line in lines] == STAMPS[name]
    for topic in (MASK_TOPIC, LABELS_TOPIC, TRACKS_TOPIC):
        assert recorded(out / "bag", topic) == list(zip(STAMPS[name], TIMES, strict=True))
    overlay = [frame.time_ns for frame in open_frames(out / "overlay.mp4")]
    assert overlay == [number * PERIOD for number in range(6)]
    assert len(caplog.records) == (name not in RISING)


def frame(stamp_ns: int, time_ns: int) -> Frame:
    return Frame(stamp_ns, time_ns, "camera", np.zeros((1, 1, 3), np.uint8))


def test_stamps_that_rise_are_the_trackers() -> None:
    stamps = RisingStamps("bag")
    assert [stamps.of(frame(stamp, 10 * place)) for place, stamp in enumerate([-7, 5, 6, 10**18])] == [-7, 5, 6, 10**18]


def test_where_stamps_do_not_rise_the_recording_tells_the_interval() -> None:
    stamps = RisingStamps("bag")
    pairs = [(100, 0), (130, 33), (0, 66), (30, 99), (30, 99), (30, 80)]
    assert [stamps.of(frame(*pair)) for pair in pairs] == [100, 130, 163, 193, 194, 195]


def test_time_never_goes_back_in_a_bag_whose_recording_does(tmp_path: Path) -> None:
    path = tmp_path / "bag"
    with BagWriter(path, "sqlite3") as bag:
        bag.add_topic("/image", IMAGE)
        for time_ns in (5, 6, 7):
            bag.write("/image", time_ns, image_message(np.zeros((8, 8, 3), np.uint8), "rgb8", time_ns, "camera"))
    with sqlite3.connect(path / "bag.db3") as database:
        database.execute("UPDATE messages SET timestamp = -9 WHERE timestamp = 5")
    assert [frame.time_ns for frame in open_frames(path)] == [0, 6, 7]


def test_a_gap_in_a_video_is_two_seconds_at_most(tmp_path: Path) -> None:
    video = OverlayVideo(tmp_path / "gap.mp4")
    for time_ns in (0, PERIOD, 54 * 365 * 86_400 * SECOND, 54 * 365 * 86_400 * SECOND + PERIOD):
        video.write(np.zeros((16, 16, 3), np.uint8), time_ns)
    video.close()
    assert [frame.time_ns for frame in open_frames(tmp_path / "gap.mp4")] == [0, PERIOD, 21 * PERIOD, 22 * PERIOD]
    assert cv2.VideoCapture(str(tmp_path / "gap.mp4")).get(cv2.CAP_PROP_FRAME_COUNT) == 4


@pytest.mark.parametrize("time_ns", [-1, 2**63])
def test_a_time_that_no_bag_can_hold_is_refused(tmp_path: Path, time_ns: int) -> None:
    with BagWriter(tmp_path / "bag") as bag:
        bag.add_topic("/text", "std_msgs/msg/String")
        with pytest.raises(BagError, match="no recording time"):
            bag.write("/text", time_ns, message_types().types["std_msgs/msg/String"](""))
