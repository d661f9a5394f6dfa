"""Notices a camera whose images do not come, or come no more."""

from __future__ import annotations

from collections.abc import Sequence

_SLOW = 4.0
"""So many of its own intervals without an image, and a camera counts as silent."""
_PATIENCE = 3.0
"""Least time without an image after which it is reported, seconds."""
_UNKNOWN = 15.0
"""Patience with a camera that has sent a single image, so that its rate is not known, seconds."""


class CameraWatch:
    """Watches the number of received images against the publishers on the topic.

    Args:
        topic: resolved name of the image topic.
        kind: its message type, such as sensor_msgs/msg/Image.
        now: monotonic time, seconds.
    """

    def __init__(self, topic: str, kind: str, now: float) -> None:
        self._topic = topic
        self._kind = kind
        self._received = 0
        self._last: float | None = None
        self._interval: float | None = None
        self._since = now
        self._publishers = 0
        self._checked = now

    def update(self, kinds: Sequence[str], received: int, now: float) -> str:
        """The problem in one sentence and its cure, or an empty string.

        Args:
            kinds: message types of the publishers that are seen on the topic.
            received: images received since the start.
            now: monotonic time, seconds.
        """
        publishers = sum(kind == self._kind for kind in kinds)
        new = received - self._received
        if new > 0:
            if self._last is not None or new > 1:
                self._interval = (now - (self._checked if self._last is None else self._last)) / new
            self._received, self._last, self._since = received, now, now
        elif self._last is None and not (publishers and self._publishers):
            self._since = now  # A camera that has just come gets time for its first image.
        self._publishers, self._checked = publishers, now
        others = sorted(set(kinds) - {self._kind})
        if not publishers and others:
            return (
                f"{self._topic} is published as {', '.join(others)}, but {self._kind} is expected: set image_transport "
                "to raw or compressed, as it suits the camera, or remap image to another topic."
            )
        silent = now - self._since
        if silent < self._patience_now():
            return ""
        if self._last is not None:
            why = "is its driver stuck?" if publishers else "its publisher has gone: start the camera again."
            return f"No image has come on {self._topic} for {silent:.0f} s: {why}"
        if not publishers:
            return ""
        return (
            f"{self._topic} has {publishers} publisher(s), but no image has come for {silent:.0f} s. If it sends more "
            "often than that, its images are too large for the shared memory of Fast DDS: start the camera's process with "
            "FASTDDS_DEFAULT_PROFILES_FILE set to this package's config/fastdds.xml, and a container with --ipc=host or "
            "--shm-size=1g (docs/commanding.md, Large images)."
        )

    def silence(self, now: float) -> float | None:
        """Seconds since the last image came; None where none has."""
        return None if self._last is None else now - self._last

    def _patience_now(self) -> float:
        if self._last is None:
            return _PATIENCE
        return max(_PATIENCE, _UNKNOWN if self._interval is None else _SLOW * self._interval)
