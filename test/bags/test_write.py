from pathlib import Path
from types import SimpleNamespace

import pytest
from rosbags.interfaces import QosReliability

from fastsam2_ros.bags.messages import IMAGE, TRACKS, message_types
from fastsam2_ros.bags.read import Bag
from fastsam2_ros.bags.write import BagWriter
from fastsam2_ros.errors import BagError

STRING = "std_msgs/msg/String"


@pytest.mark.parametrize("storage", ["mcap", "sqlite3"])
def test_bytes_come_back_unchanged(tmp_path: Path, storage: str) -> None:
    with BagWriter(tmp_path / "bag", storage) as bag:
        bag.add_topic("/chatter", STRING)
        bag.write_bytes("/chatter", 12, b"\x00\x01\x00\x00\x02\x00\x00\x00a\x00")
    with Bag(tmp_path / "bag") as bag:
        assert [(m.time_ns, m.data) for m in bag.messages()] == [(12, b"\x00\x01\x00\x00\x02\x00\x00\x00a\x00")]


def test_topics_are_reliable_unless_told_otherwise(tmp_path: Path) -> None:
    with BagWriter(tmp_path / "bag") as bag:
        bag.add_topic("/image", IMAGE)
    with Bag(tmp_path / "bag") as bag:
        (qos,) = bag.connections[0].ext.offered_qos_profiles
    assert (qos.reliability, qos.depth) == (QosReliability.RELIABLE, 5)


@pytest.mark.parametrize("name", [TRACKS, "fastsam2_ros/msg/TrackerStatus"])
def test_our_own_messages_are_known_without_ros(name: str) -> None:
    assert name in message_types().types


def interrupted_writing(path: Path) -> None:
    with BagWriter(path) as bag:
        bag.add_topic("/chatter", STRING)
        bag.write("/chatter", 3, message_types().types[STRING]("hello"))
        raise KeyboardInterrupt


def test_a_bag_is_complete_when_it_is_left_by_an_error(tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt):
        interrupted_writing(tmp_path / "bag")
    with Bag(tmp_path / "bag") as bag:
        assert bag.count() == 1


@pytest.mark.parametrize("storage", ["mcap", "sqlite3"])
def test_messages_are_handed_over_once_a_second(tmp_path: Path, storage: str, monkeypatch: pytest.MonkeyPatch) -> None:
    readable = []
    with BagWriter(tmp_path / "bag", storage) as bag:
        bag.add_topic("/chatter", STRING)
        for number, now in enumerate((100.0, 100.5, 100.9, 101.0, 101.9, 102.0)):
            monkeypatch.setattr("fastsam2_ros.bags.write.time", SimpleNamespace(monotonic=lambda now=now: now))
            bag.write("/chatter", number, message_types().types[STRING]("hello"))
            with Bag(tmp_path / "bag") as found:
                readable.append(sum(1 for _ in found.messages()))
    assert readable == [1, 1, 1, 4, 4, 6]


def test_an_existing_folder_is_not_overwritten(tmp_path: Path) -> None:
    with pytest.raises(BagError, match="exists already"):
        BagWriter(tmp_path)


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(BagError, match="cannot be made"):
        BagWriter(tmp_path / "file" / "bag")


def test_an_unknown_storage_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BagError, match="mcap or sqlite3"):
        BagWriter(tmp_path / "bag", "rocksdb")


def test_an_unknown_message_type_is_named(tmp_path: Path) -> None:
    with (
        BagWriter(tmp_path / "bag") as bag,
        pytest.raises(BagError, match=r"made_up_msgs/Thing is not known: no msg/Thing\.msg"),
    ):
        bag.add_topic("/thing", "made_up_msgs/msg/Thing")


def test_the_metadata_is_readable_by_humble(tmp_path: Path) -> None:
    with BagWriter(tmp_path / "bag") as bag:
        bag.add_topic("/image", IMAGE)
    lines = (tmp_path / "bag" / "metadata.yaml").read_text()
    assert "offered_qos_profiles: '- " in lines or 'offered_qos_profiles: "- ' in lines
