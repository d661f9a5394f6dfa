"""Writing bags that every ROS 2 from Humble on can play."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
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

from fastsam2_ros.bags.messages import add_type, message_types
from fastsam2_ros.errors import BagError

STORAGES = ("mcap", "sqlite3")

# Jazzy and later also read this version; Humble knows no newer one.
_METADATA_VERSION: Final = 8
_UNLIMITED = QosTime(9223372036, 854775807)


def reliable_qos(depth: int = 5, durability: QosDurability = QosDurability.VOLATILE) -> Qos:
    """Reliable, keep last `depth`: as it is written to a bag."""
    return Qos(
        history=QosHistory.KEEP_LAST,
        depth=depth,
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

    Args:
        path: folder to make; must not exist.
        storage: mcap or sqlite3.

    Raises:
        BagError: the folder exists or cannot be made.
    """

    def __init__(self, path: str | Path, storage: str = "mcap") -> None:
        if storage not in STORAGES:
            raise BagError(f"Bags are stored as {' or '.join(STORAGES)}, not as {storage!r}.")
        self.path = Path(path)
        self.counts: dict[str, int] = {}
        self._connections: dict[str, Connection] = {}
        try:
            self._writer = Writer(self.path, version=_METADATA_VERSION, storage_plugin=StoragePlugin[storage.upper()])
            self._writer.open()
        except WriterError as error:
            raise BagError(f"{self.path} exists already; name another folder, or remove it first.") from error
        except OSError as error:
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
            time_ns: recording time, nanoseconds, not negative.
            message: an object of rosbags' types.
        """
        self.write_bytes(topic, time_ns, message_types().serialize_cdr(message, message.__msgtype__))

    def write_bytes(self, topic: str, time_ns: int, data: bytes | memoryview) -> None:
        """Write a serialized message (CDR) as it is.

        Raises:
            BagError: it cannot be written, as on a full disk.
        """
        try:
            self._writer.write(self._connections[topic], time_ns, data)
        except (OSError, sqlite3.Error) as error:
            raise BagError(f"Writing to the bag {self.path} failed: {error}") from error
        self.counts[topic] += 1

    def close(self) -> None:
        """Write index and metadata, and close the files."""
        self._writer.close()

    def __enter__(self) -> BagWriter:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
