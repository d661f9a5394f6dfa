"""What of a damaged or odd recording can be read is read, and what could not is told."""

import logging
import os
import shutil
import sqlite3
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from types import SimpleNamespace

import av
import cv2
import numpy as np
import pytest
import yaml
import zstandard
from mcap.writer import CompressionType
from mcap.writer import Writer as McapWriter
from rosbags.rosbag2 import CompressionFormat, CompressionMode, StoragePlugin, Writer

from fastsam2_ros import cli
from fastsam2_ros.bags.frames import open_frames
from fastsam2_ros.bags.messages import IMAGE, image_message, message_types
from fastsam2_ros.bags.read import Bag, is_bag
from fastsam2_ros.bags.video import timed
from fastsam2_ros.bags.write import BagWriter
from fastsam2_ros.errors import BagError


def numbers(source) -> tuple[list[int], str]:
    """The numbers of the frames that can be had (`conftest.grey`), and what was said at the end."""
    found = []
    try:
        for frame in open_frames(source):
            found.append(round((float(frame.rgb.mean()) - 10) / 20))
    except BagError as error:
        return found, str(error)
    return found, ""


def test_a_folder_is_read_in_natural_order_without_hidden_files(
    picture: Callable[..., np.ndarray], tmp_path: Path
) -> None:
    for number in range(12):
        cv2.imwrite(str(tmp_path / f"frame{number}.png"), picture(number))
    (tmp_path / "._frame0.png").write_bytes(b"\x00\x05\x16\x07")
    (tmp_path / ".hidden.png").write_bytes(b"junk")
    (tmp_path / "folder.png").mkdir()
    assert numbers(tmp_path) == (list(range(12)), "")


def test_hidden_companions_of_a_bag_are_no_storage(make_bag, tmp_path: Path) -> None:
    bag = make_bag()
    (bag / "._bag_mcap.mcap").write_bytes(b"\x00\x05\x16\x07")
    (bag / "metadata.yaml").unlink()
    assert numbers(bag) == (list(range(5)), "")


def test_topics_without_messages_leave_the_choice_clear(tmp_path: Path, picture) -> None:
    with BagWriter(tmp_path / "bag") as bag:
        for topic in ("/depth/image", "/image", "/other/image"):
            bag.add_topic(topic, IMAGE)
        bag.write("/image", 1, image_message(picture(3), "rgb8", 1, "camera"))
    assert numbers(tmp_path / "bag") == ([3], "")


@pytest.mark.parametrize("metadata", [True, False], ids=["with metadata", "without"])
@pytest.mark.parametrize(
    ("storage", "mode"),
    [
        (StoragePlugin.MCAP, CompressionMode.FILE),
        (StoragePlugin.MCAP, CompressionMode.MESSAGE),
        (StoragePlugin.MCAP, CompressionMode.STORAGE),
        (StoragePlugin.SQLITE3, CompressionMode.FILE),
        (StoragePlugin.SQLITE3, CompressionMode.MESSAGE),
    ],
)
def test_compressed_bags_are_read(tmp_path: Path, picture, storage: StoragePlugin, mode, metadata: bool) -> None:
    writer = Writer(tmp_path / "bag", version=8, storage_plugin=storage)
    writer.set_compression(mode, CompressionFormat.ZSTD)
    with writer:
        topic = writer.add_connection("/image", IMAGE, typestore=message_types())
        for number in range(5):
            data = message_types().serialize_cdr(image_message(picture(number), "rgb8", number, "camera"), IMAGE)
            writer.write(topic, number, data)
    if not metadata:
        (tmp_path / "bag" / "metadata.yaml").unlink()
    assert numbers(tmp_path / "bag") == (list(range(5)), "")
    (file,) = (file for file in (tmp_path / "bag").iterdir() if file.name != "metadata.yaml")
    assert is_bag(file)
    assert numbers(file) == (list(range(5)), "")


def test_the_files_of_a_split_recording_are_one_without_metadata(make_bag, tmp_path: Path) -> None:
    whole = make_bag(count=5)
    (tmp_path / "split").mkdir()
    for number in (0, 9, 10):
        shutil.copy(whole / "bag_mcap.mcap", tmp_path / "split" / f"run_{number}.mcap")
    with Bag(tmp_path / "split") as bag:
        assert bag.count(["/camera/image"]) == 15
    assert numbers(tmp_path / "split") == (list(range(5)) * 3, "")


def test_files_of_several_recordings_are_to_be_named(make_bag, tmp_path: Path) -> None:
    file = make_bag() / "bag_mcap.mcap"
    (tmp_path / "both").mkdir()
    for name in ("kitchen", "garden"):
        shutil.copy(file, tmp_path / "both" / f"{name}.mcap")
    with pytest.raises(BagError, match=r"name one: garden\.mcap, kitchen\.mcap"):
        Bag(tmp_path / "both")


def mcap_file(path: Path, count: int, compression: CompressionType, chunking: bool = True) -> list[int]:
    """An image and a text for each number; gives the size of the file after each."""
    sizes = []
    with path.open("wb") as stream:
        writer = McapWriter(stream, compression=compression, use_chunking=chunking)
        writer.start("ros2")
        channels = [
            writer.register_channel(topic, "cdr", writer.register_schema(msgtype, "ros2msg", b""))
            for topic, msgtype in (("/image", IMAGE), ("/text", "std_msgs/msg/String"))
        ]
        for number in range(count):
            rgb = np.full((24, 32, 3), 10 + 20 * number, np.uint8)
            data = message_types().serialize_cdr(image_message(rgb, "rgb8", number, "camera"), IMAGE)
            writer.add_message(channels[0], number, bytes(data), number)
            writer.add_message(channels[1], number, b"\x00\x01\x00\x00\x01\x00\x00\x00\x00", number)
            writer.flush()
            sizes.append(stream.tell())
        writer.finish()
    return sizes


@pytest.mark.parametrize("chunking", [True, False], ids=["chunks", "no chunks"])
@pytest.mark.parametrize("compression", CompressionType)
@pytest.mark.parametrize("beyond", [0, 1, 9, 100])
def test_an_mcap_that_was_cut_off_is_read_up_to_the_cut(
    tmp_path: Path, compression: CompressionType, chunking: bool, beyond: int, caplog: pytest.LogCaptureFixture
) -> None:
    file = tmp_path / "cut.mcap"
    sizes = mcap_file(file, 8, compression, chunking)
    file.write_bytes(file.read_bytes()[: sizes[4] + beyond])
    with Bag(file) as bag:
        assert bag.topics() == ["/image", "/text"]
        assert bag.count(["/image"]) == 5
        assert bag.duration_ns == 4
    found, said = numbers(file)
    assert found == list(range(5))
    assert ("cut.mcap is truncated or damaged: it ends in the middle of a record" in said) == (beyond > 0)
    assert "no index" in caplog.text


@pytest.mark.parametrize("metadata", [True, False], ids=["with metadata", "without"])
def test_a_cut_bag_becomes_another_with_what_is_left_and_an_exit_code(
    make_bag, tmp_path: Path, metadata: bool, capsys: pytest.CaptureFixture[str]
) -> None:
    bag = make_bag(count=800)  # several chunks
    file = bag / "bag_mcap.mcap"
    file.write_bytes(file.read_bytes()[:-400_000])
    if not metadata:
        (bag / "metadata.yaml").unlink()
    assert cli.main(["bag", str(bag), str(tmp_path / "out")]) == 2
    assert "truncated or damaged" in capsys.readouterr().err
    with Bag(tmp_path / "out") as out:
        assert 300 < out.count() < 800


@pytest.mark.parametrize(
    ("old", "new"),
    [("name: /camera/image", "name: 5"), ("message_count: 5\n    topic", "message_count: many\n    topic")],
)
def test_metadata_of_other_types_is_damage(make_bag, old: str, new: str) -> None:
    file = make_bag() / "metadata.yaml"
    lines = yaml.safe_dump(yaml.safe_load(file.read_text()), sort_keys=True)
    assert old in lines
    file.write_text(lines.replace(old, new))
    with pytest.raises(BagError, match="truncated or damaged"):
        Bag(file.parent)


def test_a_damaged_message_is_told_after_the_others(make_bag, tmp_path: Path) -> None:
    bag = make_bag(storage="sqlite3")
    with sqlite3.connect(bag / "bag_sqlite3.db3") as database:
        database.execute("UPDATE messages SET data = x'000100000500' WHERE id = 2")
    found, said = numbers(bag)
    assert found == [0, 2, 3, 4]
    assert "damaged: 4 of 5 frames" in said


def test_one_warning_for_many_frames_that_cannot_be_used(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, picture
) -> None:
    with BagWriter(tmp_path / "bag") as bag:
        bag.add_topic("/image", IMAGE)
        for number in range(9):
            message = image_message(picture(number), "rgb8", number, "camera")
            message.encoding = "rgb8" if number == 4 else "rgb9"
            bag.write("/image", number, message)
    with caplog.at_level(logging.WARNING):
        assert numbers(tmp_path / "bag") == ([4], "")
    assert len(caplog.records) == 2
    assert "8 of 9 frames were left out" in caplog.text


@pytest.mark.parametrize("encoding", ["protobuf", "json", "ros1"])
def test_messages_of_another_kind_are_told_from_damage(tmp_path: Path, encoding: str) -> None:
    file = tmp_path / "foreign.mcap"
    with file.open("wb") as stream:
        writer = McapWriter(stream)
        writer.start("")
        channel = writer.register_channel("/image", encoding, writer.register_schema("a.B", encoding, b""))
        writer.add_message(channel, 1, b"x", 1)
        writer.finish()
    with pytest.raises(BagError, match=rf"is not a ROS 2 bag.*{encoding}") as caught:
        open_frames(file)
    assert "damage" not in str(caught.value)


@pytest.mark.parametrize("data", [b"", b"\x89MCAP0\r\n", b"\x89MCAP0\r\n" * 2, b"nothing of the kind", b"\x00" * 500])
def test_a_file_that_is_no_mcap_is_named(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "none.mcap").write_bytes(data)
    with pytest.raises(BagError, match=r"none\.mcap"):
        open_frames(tmp_path / "none.mcap")


@pytest.mark.parametrize("name", ["pipe.mp4", "pipe.mcap"])
@pytest.mark.parametrize("reader", [open_frames, Bag])
def test_a_pipe_is_refused_and_not_waited_for(tmp_path: Path, name: str, reader: Callable[[Path], object]) -> None:
    os.mkfifo(tmp_path / name)
    with pytest.raises(BagError, match=rf"{name} is (neither|no bag)"):
        reader(tmp_path / name)


def test_a_damaged_compressed_file_is_named(tmp_path: Path) -> None:
    (tmp_path / "bag.mcap.zstd").write_bytes(zstandard.compress(b"x" * 1000)[:-3] + b"abc")
    with pytest.raises(BagError, match=r"bag\.mcap\.zstd"):
        open_frames(tmp_path / "bag.mcap.zstd")


def test_a_video_that_ends_early_says_how_much_was_had(tmp_path: Path) -> None:
    path = tmp_path / "video.avi"
    ends = []
    with av.open(str(path), "w") as container:
        stream = container.add_stream("mjpeg", rate=10)
        stream.height, stream.width, stream.pix_fmt = 24, 32, "yuvj420p"
        for number in range(20):
            grey = np.full((24, 32, 3), 10 + 10 * number, np.uint8)
            for packet in stream.encode(av.VideoFrame.from_ndarray(grey, format="rgb24")):
                container.mux(packet)
                ends.append(packet.size)
        container.mux(stream.encode())
    path.write_bytes(path.read_bytes()[: -(20 * 16 + sum(ends[-9:]) + 9 * 8)])
    frames = iter(open_frames(path))
    assert next(frames).rgb.shape == (24, 32, 3)
    with pytest.raises(BagError, match=r"video\.avi is truncated or damaged: \d+ of 20 frames"):
        list(frames)


def test_a_video_goes_on_behind_what_cannot_be_decoded(tmp_path: Path) -> None:
    path = tmp_path / "video.mp4"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("mjpeg", rate=10)
        stream.height, stream.width, stream.pix_fmt = 24, 32, "yuvj420p"
        packets = []
        for number in range(10):
            grey = np.full((24, 32, 3), 10 + 20 * number, np.uint8)
            packets += stream.encode(av.VideoFrame.from_ndarray(grey, format="rgb24"))
        for packet in packets:
            container.mux(packet)
    data = bytearray(path.read_bytes())
    places = [place for place in range(len(data)) if data[place : place + 3] == b"\xff\xd8\xff"]
    data[places[3] : places[4]] = bytes(places[4] - places[3])
    path.write_bytes(data)
    found, said = numbers(path)
    assert found == [0, 1, 2, 4, 5, 6, 7, 8, 9]
    assert "9 of 10 frames" in said


@pytest.mark.parametrize(
    ("stamps", "times"),
    [
        ([0, 40, 80], [0, 40, 80]),
        ([0, 40, 80, 0, 40, 80], [0, 40, 80, 120, 160, 200]),
        ([5, 5, 5], [5, 45, 85]),
        ([-80, -40, 0], [0, 40, 80]),
        ([100, 60, 20, 60], [100, 140, 180, 220]),
        ([None, None, 70, None], [0, 40, 70, 110]),
    ],
)
def test_video_stamps_always_rise(stamps: list[int | None], times: list[int]) -> None:
    pictures = [SimpleNamespace(pts=stamp, time_base=Fraction(1, 1000)) for stamp in stamps]
    assert [time_ns // 1_000_000 for time_ns, _ in timed(pictures, 40e6)] == times


@pytest.mark.parametrize("name", ["rot90.mp4"])
def test_a_rotated_video_is_upright(shared: Path, name: str) -> None:
    frame = next(iter(open_frames(shared / "cases" / name)))
    assert frame.rgb.shape == (320, 240, 3)
    _, picture = cv2.VideoCapture(str(shared / "cases" / name)).read()  # turns by itself
    np.testing.assert_allclose(frame.rgb[..., ::-1], picture, atol=12)


@pytest.mark.parametrize(("name", "had"), [("trunc.avi", "10 of 24"), ("corrupt_vp9.webm", "1 of 24")])
def test_real_damaged_videos_say_how_much_was_had(shared: Path, name: str, had: str) -> None:
    frames = open_frames(shared / "cases" / name)
    with pytest.raises(BagError, match=f"{had} frames"):
        list(frames)


@pytest.mark.parametrize("name", ["02_cups.mp4", "bedroom.mp4"])
def test_whole_videos_are_not_called_damaged(shared: Path, name: str) -> None:
    assert sum(1 for _ in open_frames(shared / "video" / name)) > 0


def test_a_real_protobuf_file_is_told_from_damage(shared: Path) -> None:
    with pytest.raises(BagError, match=r"not a ROS 2 bag.*protobuf"):
        open_frames(shared / "cases" / "foxglove_protobuf.mcap")


def test_the_colours_of_usb_cams_default_are_right(shared: Path, caplog: pytest.LogCaptureFixture) -> None:
    frames = list(open_frames(shared / "cases" / "yuyv"))
    assert len(frames) == 6
    assert not caplog.records
