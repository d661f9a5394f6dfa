"""ROS 2 bags (sqlite3, MCAP) message by message, as bytes, and what to do about one that cannot be read."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import NamedTuple

from rosbags.interfaces import Connection
from rosbags.rosbag2 import Reader

from fastsam2_ros.errors import BagError

STORAGE_SUFFIXES = (".mcap", ".db3")
"""File name suffixes of bag storage, with which a bag may also be named directly."""


class Message(NamedTuple):
    """One recorded message.

    Attributes:
        connection: topic, type, QoS.
        time_ns: when it was recorded, nanoseconds.
        data: the serialized message (CDR), unchanged.
    """

    connection: Connection
    time_ns: int
    data: bytes


def is_bag(path: Path) -> bool:
    """Whether the path is a bag: its folder, or one of its storage files."""
    if path.is_dir():
        return (path / "metadata.yaml").is_file() or bool(_storage_files(path))
    return path.suffix in {*STORAGE_SUFFIXES, ".bag"}


class Bag:
    """A bag, open for reading; a context manager.

    Args:
        path: folder of the bag, or its .mcap or .db3 file. A folder without metadata.yaml (a recording that was cut
            off) is read through its single storage file.

    Raises:
        BagError: there is no such bag, or it is damaged; also while reading, after the messages before the damage.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        if not self.path.exists():
            raise BagError(f"There is no bag {self.path}.")
        if self.path.suffix == ".bag":
            raise BagError(f"{self.path} is a ROS 1 bag; convert it first: rosbags-convert --src IN.bag --dst OUT")
        with _damage_named(self.path):
            self._reader = Reader(self._openable())
            self._reader.open()

    def _openable(self) -> Path:
        if not self.path.is_dir() or (self.path / "metadata.yaml").is_file():
            return self.path
        files = _storage_files(self.path)
        if len(files) != 1:
            names = ", ".join(file.name for file in files)
            raise BagError(
                f"{self.path} has no metadata.yaml, and "
                + (f"more than one storage file; name one: {names}." if files else "no .mcap or .db3 file.")
                + " 'ros2 bag reindex' makes a new metadata.yaml."
            )
        return files[0]

    @property
    def connections(self) -> list[Connection]:
        """The recorded topics with type, QoS and number of messages."""
        return self._reader.connections

    @property
    def duration_ns(self) -> int:
        """From the first message to the last, nanoseconds."""
        # rosbags counts to one nanosecond after the last; an empty bag has none.
        return max(0, self._reader.duration - 1)

    def topics(self, types: Collection[str] = ()) -> list[str]:
        """Names of the topics, of these message types where any are given, sorted."""
        return sorted({item.topic for item in self.connections if not types or item.msgtype in types})

    def count(self, topics: Collection[str] = ()) -> int:
        """Number of messages, of these topics where any are given."""
        return sum(item.msgcount for item in self._chosen(topics))

    def messages(self, topics: Collection[str] = ()) -> Iterator[Message]:
        """All messages by recording time, of these topics where any are given.

        Raises:
            BagError: the bag is damaged from here on.
        """
        chosen = self._chosen(topics)
        if not chosen:
            return
        with _damage_named(self.path):
            for connection, time_ns, data in self._reader.messages(chosen):
                yield Message(connection, time_ns, bytes(data))

    def _chosen(self, topics: Collection[str]) -> list[Connection]:
        return [item for item in self.connections if not topics or item.topic in topics]

    def close(self) -> None:
        """Close the files."""
        self._reader.close()

    def __enter__(self) -> Bag:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def _storage_files(folder: Path) -> list[Path]:
    return sorted(file for file in folder.iterdir() if file.suffix in STORAGE_SUFFIXES)


@contextmanager
def _damage_named(path: Path) -> Iterator[None]:
    """Turn what a reader raises over damaged bytes (its own errors, sqlite's, struct's ...) into a `BagError`."""
    try:
        yield
    except BagError:
        raise
    except Exception as error:
        raise BagError(
            f"The bag {path} is truncated or damaged ({error or type(error).__name__}). "
            "What is left of an .mcap file can be saved with 'mcap recover', of a .db3 file with 'sqlite3 .recover'; "
            "a bag without an index with 'ros2 bag reindex'."
        ) from error
