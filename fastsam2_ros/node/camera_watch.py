"""Notices a camera that is there, but whose images are not."""

from __future__ import annotations


class CameraWatch:
    """Watches the number of received images against the publishers on the topic.

    Args:
        topic: resolved name of the image topic.
        patience: time without an image after which it is reported, seconds.
    """

    def __init__(self, topic: str, patience: float = 3.0) -> None:
        self._topic = topic
        self._patience = patience
        self._received = -1
        self._since = 0.0

    def update(self, publishers: int, received: int, now: float) -> str:
        """The problem in one sentence and its cure, or an empty string.

        Args:
            publishers: publishers that are seen on the topic.
            received: images received since the start.
            now: monotonic time, seconds.
        """
        if publishers == 0 or received != self._received:
            self._received = received
            self._since = now
        silent = now - self._since
        if silent < self._patience:
            return ""
        return (
            f"{self._topic} has {publishers} publisher(s), but no image has come for {silent:.0f} s. If the camera is "
            "running, its images are too large for the default shared memory of Fast DDS: start the camera's process "
            "with FASTDDS_DEFAULT_PROFILES_FILE set to this package's config/fastdds.xml (README, Large images)."
        )
