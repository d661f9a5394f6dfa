"""ROS 2 bags (sqlite3, MCAP) message by message, as bytes, and what to do about one that cannot be read."""

from __future__ import annotations

import logging
import re
import shutil
import sqlite3
from collections.abc import Collection, Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from types import TracebackType
from typing import NamedTuple

import zstandard
from rosbags.interfaces import Connection
from rosbags.rosbag2 import Reader

from fastsam2_ros.bags.disk import cannot_write
from fastsam2_ros.bags.mcap_scan import McapScan, is_whole
from fastsam2_ros.bags.natural_order import visible_files
from fastsam2_ros.errors import BagError

STORAGE_SUFFIXES = (".mcap", ".db3")
"""File name suffixes of bag storage, with which a bag may also be named directly; compressed, .zstd or .zst follows."""

_COMPRESSED_SUFFIXES = (".zstd", ".zst")
_COMPRESSED_MESSAGE = b"\x28\xb5\x2f\xfd"  # zstd's magic number; a CDR message begins with a zero

LARGEST_MESSAGE = 1 << 30
"""Bytes of a compressed message: a few kB can hold any number of zeros."""

_log = logging.getLogger(__name__)


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
    return _storage_suffix(path) in STORAGE_SUFFIXES or path.suffix == ".bag"


class Bag:
    """A bag, open for reading; a context manager.

    A recording that was cut off is read as far as it goes: without metadata.yaml through its storage files, an .mcap file
    without an index from its beginning, and an .db3 file after its unfinished transaction is rolled back.

    Args:
        path: folder of the bag, or its .mcap or .db3 file, perhaps compressed.

    Raises:
        BagError: there is no such bag, or it is damaged; also while reading, after the messages before the damage.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        if not self.path.exists():
            raise BagError(f"There is no bag {self.path}.")
        if not self.path.is_dir() and not is_bag(self.path):
            raise BagError(f"{self.path} is no bag; give the folder of one, or its .mcap or .db3 file.")
        if self.path.suffix == ".bag":
            raise BagError(f"{self.path} is a ROS 1 bag; convert it first: rosbags-convert --src IN.bag --dst OUT")
        with ExitStack() as stack, _damage_named(self.path):
            self._parts = [stack.enter_context(closing(part)) for part in self._opened(stack)]
            self._stack = stack.pop_all()

    def _opened(self, stack: ExitStack) -> Iterator[Reader | McapScan]:
        files = _storage_files(self.path) if self.path.is_dir() else [self.path]
        has_metadata = (self.path / "metadata.yaml").is_file()
        if has_metadata and all(file.suffix != ".mcap" or is_whole(file) for file in files):
            for file in files:
                _roll_back(file)
            yield _reader(self.path)
            return
        if not files or len({_series(file) for file in files}) > 1:
            names = ", ".join(file.name for file in files)
            raise BagError(
                f"{self.path} has no metadata.yaml, and "
                + (f"more than one storage file; name one: {names}." if files else "no .mcap or .db3 file.")
                + " 'ros2 bag reindex' makes a new metadata.yaml."
            )
        for file in files:
            yield _part(file, stack)

    @property
    def connections(self) -> list[Connection]:
        """The recorded topics with type, QoS and number of messages; the same topic of several files more than once."""
        return [item for part in self._parts for item in part.connections]

    @property
    def duration_ns(self) -> int:
        """From the first message to the last, nanoseconds."""
        start = min(part.start_time for part in self._parts)
        # rosbags counts to one nanosecond after the last; an empty bag has none.
        return max(0, max(part.end_time for part in self._parts) - 1 - start)

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
        for part in self._parts:
            # An empty choice would be all topics for rosbags.
            if chosen := [item for item in part.connections if not topics or item.topic in topics]:
                with _damage_named(self.path):
                    for connection, time_ns, data in part.messages(chosen):
                        yield Message(connection, time_ns, _unpacked(bytes(data)))
            if isinstance(part, McapScan) and part.lost:
                raise BagError(f"The bag {self.path} is truncated or damaged: {part.lost}. What is before was read.")

    def _chosen(self, topics: Collection[str]) -> list[Connection]:
        return [item for item in self.connections if not topics or item.topic in topics]

    def close(self) -> None:
        """Close the files."""
        self._stack.close()

    def __enter__(self) -> Bag:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def _storage_files(folder: Path) -> list[Path]:
    files = visible_files(folder, (*STORAGE_SUFFIXES, *_COMPRESSED_SUFFIXES))
    return [file for file in files if _storage_suffix(file) in STORAGE_SUFFIXES]


def _storage_suffix(file: Path) -> str:
    """.mcap or .db3 of a storage file, compressed or not."""
    return Path(file.stem).suffix if file.suffix in _COMPRESSED_SUFFIXES else file.suffix


def _series(file: Path) -> str:
    """What the files of one split recording, bag_0.mcap, bag_1.mcap ..., have in common."""
    return re.sub(r"(_\d+)?\..*", "", file.name)


def _part(file: Path, stack: ExitStack) -> Reader | McapScan:
    if file.suffix in _COMPRESSED_SUFFIXES:
        unpacked = Path(stack.enter_context(TemporaryDirectory()), file.stem)
        with file.open("rb") as source, unpacked.open("wb") as target:
            packed = zstandard.ZstdDecompressor().stream_reader(source)
            try:
                shutil.copyfileobj(packed, target)
            except OSError as error:  # of what is written: what is packed badly is zstandard's own error
                raise cannot_write(unpacked, error) from error
        file = unpacked
    if file.suffix == ".mcap" and not is_whole(file):
        scan = McapScan(file)
        _log.warning("%s has no index that can be used; it is read from its beginning.", file)
        return scan
    _roll_back(file)
    return _reader(file)


def _reader(path: Path) -> Reader:
    reader = Reader(path)
    reader.open()
    return reader


def _roll_back(file: Path) -> None:
    """Have sqlite undo what a killed recorder left half written: rosbags reads the file as it is."""
    if not any(file.with_name(file.name + ending).exists() for ending in ("-journal", "-wal")):
        return
    try:
        with closing(sqlite3.connect(file)) as database:
            database.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
            database.execute("SELECT count(*) FROM sqlite_master").fetchall()
    except sqlite3.Error as error:
        _log.warning("%s was not closed, and its last transaction cannot be rolled back (%s).", file, error)


def _unpacked(data: bytes) -> bytes:
    if not data.startswith(_COMPRESSED_MESSAGE):
        return data
    parts, size = [], 0
    for part in zstandard.ZstdDecompressor().read_to_iter(data):
        size += len(part)
        if size > LARGEST_MESSAGE:
            raise ValueError(f"a message of more than {LARGEST_MESSAGE >> 20} MB")
        parts.append(part)
    return b"".join(parts)


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
