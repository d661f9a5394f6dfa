"""Whatever stamps and bytes a recording holds: counts, order, headers and times stay, or a `BagError` says what is wrong."""

from __future__ import annotations

import tempfile
from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from fastsam2_ros.bags.frames import open_frames
from fastsam2_ros.bags.make import make_bag
from fastsam2_ros.bags.messages import IMAGE, header, image_message, message_types
from fastsam2_ros.bags.overlay_video import OverlayVideo
from fastsam2_ros.bags.read import Bag
from fastsam2_ros.bags.rising_stamps import RisingStamps
from fastsam2_ros.bags.source import Frame
from fastsam2_ros.bags.video import timed
from fastsam2_ros.bags.write import STORAGES, BagWriter
from fastsam2_ros.errors import BagError
from fastsam2_ros.message_fields import stamp_to_ns

STRING = "std_msgs/msg/String"
seconds = st.integers(-(2**31), 2**31 - 1)
stamps = st.builds(lambda second, rest: second * 10**9 + rest, seconds, st.integers(0, 999_999_999)) | st.integers(
    0, 10**9
)
times = st.integers(0, 2**62) | st.integers(0, 10**10)
storages = st.sampled_from(STORAGES)
picture = np.zeros((2, 3, 3), np.uint8)


def written(folder: str, storage: str, pairs: list[tuple[int, int]]) -> Path:
    """A bag of an image for each stamp and time."""
    path = Path(folder) / "bag"
    with BagWriter(path, storage) as bag:
        bag.add_topic("/image", IMAGE)
        for stamp_ns, time_ns in pairs:
            bag.write("/image", time_ns, image_message(picture, "rgb8", stamp_ns, "optical"))
    return path


@given(seconds, st.integers(0, 2**32 - 1))
def test_any_stamp_of_a_header_can_be_written_again(second: int, rest: int) -> None:
    types = message_types()
    stamp = types.types["builtin_interfaces/msg/Time"](second, rest)
    again = header(stamp_to_ns(stamp), "optical")
    assert stamp_to_ns(
        types.deserialize_cdr(types.serialize_cdr(again, again.__msgtype__), again.__msgtype__).stamp
    ) == (stamp_to_ns(stamp))
    assert rest > 999_999_999 or (again.stamp.sec, again.stamp.nanosec) == (second, rest)


@settings(max_examples=settings.default.max_examples // 6)
@given(st.lists(st.tuples(stamps, times), min_size=1, max_size=12), storages)
def test_frames_have_the_headers_and_times_that_were_recorded(pairs, storage: str) -> None:
    pairs = sorted(pairs, key=lambda pair: pair[1])
    with tempfile.TemporaryDirectory() as folder:
        source = open_frames(written(folder, storage, pairs))
        assert source.length == len(pairs)
        frames = list(source)
        assert [frame.time_ns for frame in frames] == [time_ns for _, time_ns in pairs]
        assert sorted((frame.time_ns, frame.stamp_ns) for frame in frames) == sorted((t, s) for s, t in pairs)
        assert make_bag(source, Path(folder) / "again", topic="/image", storage=storage) == len(pairs)
        again = list(open_frames(Path(folder) / "again"))
        assert [(frame.stamp_ns, frame.time_ns) for frame in again] == [(f.stamp_ns, f.time_ns) for f in frames]


@given(st.lists(st.tuples(stamps, times), min_size=1, max_size=50))
def test_the_trackers_stamps_rise_and_keep_the_headers_intervals(pairs) -> None:
    clock, found = RisingStamps("bag"), []
    for stamp_ns, time_ns in zip([stamp for stamp, _ in pairs], sorted(time for _, time in pairs), strict=True):
        found.append(clock.of(Frame(stamp_ns, time_ns, "optical", picture)))
    for place in range(1, len(pairs)):
        assert found[place] > found[place - 1]
        interval = pairs[place][0] - pairs[place - 1][0]
        assert interval <= 0 or found[place] - found[place - 1] == interval


@given(st.lists(st.none() | st.integers(-(2**40), 2**40), max_size=50), st.floats(1e6, 1e9))
def test_the_times_of_a_video_rise_from_zero_on(stamps, period_ns: float) -> None:
    pictures = [SimpleNamespace(pts=pts, time_base=Fraction(1, 1000)) for pts in stamps]
    found = [time_ns for time_ns, _ in timed(pictures, period_ns)]
    assert len(found) == len(stamps)
    assert all(later > earlier for earlier, later in zip([-1, *found], found, strict=False))


@given(st.lists(times | stamps, min_size=1, max_size=10))
def test_a_video_has_every_picture_at_most_two_seconds_apart(given_times: list[int]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        video = OverlayVideo(Path(folder) / "v.mp4")
        for time_ns in given_times:
            video.write(np.zeros((16, 16, 3), np.uint8), time_ns)
        video.close()
        found = [frame.time_ns for frame in open_frames(Path(folder) / "v.mp4")]
    assert len(found) == len(given_times)
    assert all(10**6 <= later - earlier <= 2 * 10**9 for earlier, later in pairwise(found))


topics = st.sampled_from(["/a", "/b/c", "/текст"])


@settings(max_examples=settings.default.max_examples // 6)
@given(
    st.lists(st.tuples(topics, times, st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"])))),
    storages,
)
def test_messages_come_back_by_time(messages, storage: str) -> None:
    with tempfile.TemporaryDirectory() as folder:
        with BagWriter(Path(folder) / "bag", storage) as bag:
            for topic in sorted({topic for topic, _, _ in messages}):
                bag.add_topic(topic, STRING)
            for topic, time_ns, text in messages:
                bag.write(topic, time_ns, message_types().types[STRING](text))
        with Bag(Path(folder) / "bag") as bag:
            found = list(bag.messages())
            assert bag.count() == len(messages)
    assert [item.time_ns for item in found] == sorted(time_ns for _, time_ns, _ in messages)
    texts = [message_types().deserialize_cdr(item.data, STRING).data for item in found]
    assert sorted(zip((item.connection.topic for item in found), texts, strict=True)) == sorted(
        (topic, text) for topic, _, text in messages
    )


@pytest.fixture(scope="module")
def samples(tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[str, bytes]]:
    """Name and bytes of the storage file of a bag of 40 frames, for each storage."""
    found = {}
    for storage in STORAGES:
        path = written(str(tmp_path_factory.mktemp(storage)), storage, [(number, number) for number in range(40)])
        file = next(item for item in path.iterdir() if item.suffix in (".mcap", ".db3"))
        found[storage] = file.name, file.read_bytes()
    return found


def read(path: Path) -> list[int]:
    """The stamps of all frames that can be had."""
    found = []
    try:
        for frame in open_frames(path):
            assert frame.rgb.ndim == 3
            assert frame.time_ns >= 0
            found.append(frame.stamp_ns)
    except BagError:
        pass
    return found


@given(storages, st.integers(0, 30_000))
def test_a_file_cut_anywhere_gives_the_frames_before(samples, storage: str, length: int) -> None:
    name, data = samples[storage]
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / name).write_bytes(data[:length])
        found = read(Path(folder) / name)
    assert found == list(range(len(found)))
    if length >= len(data):
        assert len(found) == 40


@given(storages, st.lists(st.tuples(st.integers(0, 30_000), st.integers(0, 255)), min_size=1, max_size=8))
def test_a_file_with_wrong_bytes_gives_frames_or_says_so(samples, storage: str, changes) -> None:
    name, data = samples[storage]
    damaged = bytearray(data)
    for place, value in changes:
        if place < len(damaged):
            damaged[place] = value
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / name).write_bytes(damaged)
        read(Path(folder) / name)


@example(".mp4", b"<svg\x00\x00")  # a video for FFmpeg, without a decoder
@given(st.sampled_from([".mcap", ".db3", ".mcap.zstd", ".mp4", ".avi", ".webm", ""]), st.binary(max_size=400))
def test_a_file_of_any_bytes_says_what_is_wrong(suffix: str, data: bytes) -> None:
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / f"file{suffix}").write_bytes(data)
        assert read(Path(folder) / f"file{suffix}") == []
