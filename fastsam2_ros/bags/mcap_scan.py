"""An MCAP file record by record, for one whose end is missing: a recording that was cut off has no index."""

from __future__ import annotations

import io
from collections import Counter
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Any

from mcap.exceptions import EndOfFile
from mcap.records import Channel, Chunk, Header, McapRecord, Message, Schema
from mcap.stream_reader import StreamReader, breakup_chunk
from rosbags.interfaces import Connection, ConnectionExtRosbag2, MessageDefinition, MessageDefinitionFormat
from rosbags.rosbag2.metadata import parse_qos

from fastsam2_ros.errors import BagError

_MAGIC = b"\x89MCAP0\r\n"
_CDR = "cdr"


def is_whole(file: Path) -> bool:
    """Whether the file is a ROS 2 recording that was closed, so that it has an index."""
    with file.open("rb") as stream:
        if stream.read(8) != _MAGIC:
            return False
        stream.seek(-min(8, file.stat().st_size), 2)
        return stream.read() == _MAGIC and _header(file).profile == "ros2"


class McapScan:
    """The part of `rosbags.rosbag2.Reader` that `Bag` needs, without an index. The whole file is read once at the start.

    Args:
        path: of the file.

    Attributes:
        connections: topics in the order of their first message, with numbers of messages.
        start_time, end_time: of the first message and after the last, nanoseconds.
        lost: why the file ends before it should; empty where it ends between two records.

    Raises:
        BagError: no MCAP file, nothing in it, or no ROS 2 messages.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self.lost = ""
        self.connections: list[Connection] = []
        self.start_time, self.end_time = 2**63 - 1, 0
        schemas: dict[int, str] = {}
        channels: dict[int, Channel] = {}
        counts: Counter[int] = Counter()
        for record in self._records():
            if isinstance(record, Schema):
                schemas[record.id] = record.name
            elif isinstance(record, Channel):
                channels[record.id] = record
            elif isinstance(record, Message):
                counts[record.channel_id] += 1
                self.start_time = min(self.start_time, record.log_time)
                self.end_time = max(self.end_time, record.log_time + 1)
        encodings = {item.message_encoding for item in channels.values()}
        if encodings and _CDR not in encodings:
            raise BagError(f"{path} is not a ROS 2 bag: its messages are {' and '.join(sorted(encodings))}, not CDR.")
        if not channels:
            raise BagError(
                f"The bag {path} is truncated or damaged: nothing in it can be read ({self.lost or 'no topics'})."
            )
        self.connections = [
            _connection(item, schemas.get(item.schema_id, ""), counts[item.id])
            for item in channels.values()
            if item.message_encoding == _CDR
        ]

    def messages(self, connections: Collection[Connection]) -> Iterator[tuple[Connection, int, bytes]]:
        """Messages of these topics with their recording times, in the order of the file."""
        wanted = {item.id: item for item in connections}
        for record in self._records():
            if isinstance(record, Message) and record.channel_id in wanted:
                yield wanted[record.channel_id], record.log_time, record.data

    def close(self) -> None:
        """Nothing stays open between two passages."""

    def _records(self) -> Iterator[McapRecord]:
        """Every record up to the first that is not whole, what is in chunks by recording time."""
        self.lost = ""
        size, place = self._path.stat().st_size, 0
        with _WholeReads(io.FileIO(self._path)) as stream:
            try:
                for record in StreamReader(stream, emit_chunks=True).records:
                    if isinstance(record, Chunk):
                        inside = breakup_chunk(record, validate_crc=True)
                        yield from sorted(inside, key=lambda item: getattr(item, "log_time", -1))
                    else:
                        yield record
                    place = stream.tell()
            except EndOfFile:
                if place < size:
                    self.lost = f"it ends in the middle of a record, after {place} of {size} bytes"
            except Exception as error:  # what damaged bytes raise depends on where they are damaged
                self.lost = f"{' '.join(str(error).split()) or type(error).__name__}, after {place} of {size} bytes"


class _WholeReads(io.BufferedReader):
    """A file that gives all the bytes that are asked for or none; the library takes fewer for a short record."""

    def read(self, size: int | None = -1, /) -> bytes:
        data = super().read(size)
        if size is not None and len(data) < size:
            raise EndOfFile
        return data


def _header(file: Path) -> Any:
    with _WholeReads(io.FileIO(file)) as stream:
        try:
            record = next(iter(StreamReader(stream).records), None)
        except Exception:  # as above
            record = None
    return record if isinstance(record, Header) else Header("", "")


def _connection(channel: Channel, msgtype: str, count: int) -> Connection:
    try:
        qos = parse_qos(channel.metadata.get("offered_qos_profiles", ""))
    except Exception:  # a foreign writer's; messages are read all the same
        qos = []
    return Connection(
        id=channel.id,
        topic=channel.topic,
        msgtype=msgtype,
        msgdef=MessageDefinition(MessageDefinitionFormat.NONE, ""),
        digest="",
        msgcount=count,
        ext=ConnectionExtRosbag2(channel.message_encoding, qos),
        owner=None,
    )
