"""Writing bags that every ROS 2 from Humble on can play."""

from __future__ import annotations

import os
import sqlite3
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from types import TracebackType
from typing import Any, Final

from rosbags.interfaces import (
    Connection,
    Qos,
    QosDurability,
    QosHistory,
    QosLiveliness,
    QosReliability,
    QosTime,
)
from rosbags.rosbag2 import StoragePlugin, Writer, WriterError
from rosbags.rosbag2.storage_mcap import McapWriter
from rosbags.rosbag2.storage_sqlite3 import Sqlite3Writer

from fastsam2_ros.bags.disk import cannot_write, uninterrupted
from fastsam2_ros.bags.messages import add_type, message_types
from fastsam2_ros.errors import BagError

STORAGES = ("mcap", "sqlite3")
FLUSH_SECONDS = 1.0
"""Messages are handed to the system so often, at least."""

# Jazzy and later also read this version; Humble knows no newer one.
_METADATA_VERSION: Final = 8
_UNLIMITED = QosTime(9223372036, 854775807)


def reliable_qos(durability: QosDurability = QosDurability.VOLATILE) -> Qos:
    """Reliable, keep last 5: as it is written to a bag."""
    return Qos(
        history=QosHistory.KEEP_LAST,
        depth=5,
        reliability=QosReliability.RELIABLE,
        durability=durability,
        deadline=_UNLIMITED,
        lifespan=_UNLIMITED,
        liveliness=QosLiveliness.AUTOMATIC,
        liveliness_lease_duration=_UNLIMITED,
        avoid_ros_namespace_conventions=False,
    )


class BagWriter:
    """A new bag; a context manager that leaves a complete bag behind also when it is left by an error.

    What was written is handed to the system every second, so that a kill takes no more than that; or where `flush` is
    called, and then the same messages make the same bytes, however long they take. After a full disk, the bag holds what
    was written before, without index and metadata.yaml; `Bag` reads it.

    Args:
        path: folder to make; must not exist.
        storage: mcap or sqlite3.
        every_second: hand over each second; else in `flush` alone.

    Raises:
        BagError: the folder exists or cannot be made.
    """

    def __init__(self, path: str | Path, storage: str = "mcap", every_second: bool = True) -> None:
        if storage not in STORAGES:
            raise BagError(f"Bags are stored as {' or '.join(STORAGES)}, not as {storage!r}.")
        self.path = Path(path)
        self.counts: dict[str, int] = {}
        self._every_second = every_second
        self._connections: dict[str, Connection] = {}
        self._flushed = -FLUSH_SECONDS  # the first message at once: from then on there is a bag to read
        self._size = 0  # of an .mcap file up to the last chunk that is whole
        self._failed = False
        try:
            self._writer = Writer(self.path, version=_METADATA_VERSION, storage_plugin=StoragePlugin[storage.upper()])
            self._writer.open()
        except WriterError as error:
            raise BagError(f"{self.path} exists already; name another folder, or remove it first.") from error
        except (OSError, sqlite3.Error) as error:
            raise BagError(f"The bag {self.path} cannot be made: {error}") from error

    def add_topic(self, topic: str, msgtype: str, qos: Sequence[Qos] = ()) -> None:
        """Add a topic; `msgtype` such as "sensor_msgs/msg/Image". Without `qos`: reliable, keep last 5.

        Raises:
            BagError: the message type is not known here.
        """
        types = message_types()
        add_type(types, msgtype)
        self.counts[topic] = 0
        self._connections[topic] = self._writer.add_connection(
            topic, msgtype, typestore=types, offered_qos_profiles=list(qos) or [reliable_qos()]
        )

    def write(self, topic: str, time_ns: int, message: Any) -> None:
        """Write a message of `bags.messages`.

        Args:
            topic: one that was added.
            time_ns: recording time, nanoseconds, from 0 to 2^63 - 1.
            message: an object of rosbags' types.
        """
        self.write_bytes(topic, time_ns, message_types().serialize_cdr(message, message.__msgtype__))

    def write_bytes(self, topic: str, time_ns: int, data: bytes | memoryview) -> None:
        """Write a serialized message (CDR) as it is.

        Args:
            topic: one that was added.
            time_ns: recording time, nanoseconds, from 0 to 2^63 - 1.
            data: CDR.

        Raises:
            BagError: it cannot be written, as on a full disk.
        """
        if not 0 <= time_ns < 2**63:
            raise BagError(f"{self.path}: {time_ns} ns is no recording time; it lies between 0 and 2^63 ns.")
        with self._writing():
            self._writer.write(self._connections[topic], time_ns, data)
            self._settle()
        self.counts[topic] += 1
        self.flush_if_due()

    def flush_if_due(self) -> None:
        """`flush`, where the last time is a second ago; to be called from time to time where no message comes."""
        if self._every_second and time.monotonic() - self._flushed >= FLUSH_SECONDS:
            self.flush()

    def flush(self) -> None:
        """Hand over what was written to the system: it then outlives this process. Raises `BagError` on a full disk."""
        with self._writing():
            storage: Any = self._writer.storage
            if isinstance(storage, Sqlite3Writer):
                storage.conn.commit()
            elif storage.chunk.msgs:
                storage.close_chunk()
                self._settle()
        self._flushed = time.monotonic()

    def _settle(self) -> None:
        """Note up to where an .mcap file is whole, where a chunk has just ended."""
        storage: Any = self._writer.storage
        if isinstance(storage, McapWriter) and not storage.chunk.msgs:
            storage.bio.flush()
            self._size = storage.bio.tell()

    @contextmanager
    def _writing(self) -> Iterator[None]:
        storage: Any = self._writer.storage
        try:
            with uninterrupted():
                yield
        except (OSError, sqlite3.Error) as error:
            self._failed = True
            raise cannot_write(storage.path, error) from error

    def close(self) -> None:
        """Write index and metadata, and close the files.

        Raises:
            BagError: they cannot be written; not where a message has already failed.
        """
        if not self._failed:
            try:
                with self._writing():
                    self._writer.close()
                return
            except BagError:
                self._leave_what_is_whole()
                raise
        self._leave_what_is_whole()

    def _leave_what_is_whole(self) -> None:
        storage: Any = self._writer.storage
        if storage is None:
            return  # only metadata.yaml is missing
        with uninterrupted(), suppress(OSError, sqlite3.Error):
            if isinstance(storage, Sqlite3Writer):
                with suppress(sqlite3.Error):
                    storage.conn.commit()
            self._writer.abort()
        if isinstance(storage, McapWriter):
            os.truncate(storage.path, self._size)

    def __enter__(self) -> BagWriter:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
