"""What waits for the tracker of one camera."""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import TYPE_CHECKING, Generic, Protocol, TypeVar

from fastsam2_ros.images import RgbImage
from fastsam2_ros.node.rates import RateMeter
from fastsam2_ros.results import TrackResult

if TYPE_CHECKING:
    from fastsam2_ros.tracker import TextTracker

Source = TypeVar("Source")
Source_contra = TypeVar("Source_contra", contravariant=True)
Command = Callable[["TextTracker"], None]


@dataclass(frozen=True)
class Counts:
    """Frames since the start, and rates. received = processed + dropped + pending, always.

    Attributes:
        received: frames offered.
        processed: frames that the tracker gave a result for.
        dropped: frames that a newer one replaced, that could not be used, or that came or were left while nothing works.
        unusable: those of `dropped` that could not be used, or that the tracker failed on.
        input_rate, output_rate: received and processed frames per second, Hz.
    """

    received: int = 0
    processed: int = 0
    dropped: int = 0
    unusable: int = 0
    input_rate: float = 0.0
    output_rate: float = 0.0

    @property
    def pending(self) -> int:
        """Frames that wait or are in work: 0 to 2."""
        return self.received - self.processed - self.dropped


class Listener(Protocol[Source_contra]):
    """What the worker asks and tells about one camera, always in its own thread."""

    def decode(self, source: Source_contra) -> tuple[RgbImage, int]:
        """The RGB frame, uint8 (H, W, 3), and its stamp in nanoseconds. Raises `InputError`."""

    def wants_tokens(self) -> bool:
        """Whether the next result is to have `TrackResult.tokens`."""

    def on_result(self, source: Source_contra, frame: RgbImage, result: TrackResult, started: float) -> None:
        """A frame was tracked; its work began at `started` (time.perf_counter, seconds)."""

    def on_failure(self, subject: str, error: Exception) -> None:
        """A frame or command came to nothing. subject: image, tracker, target or output."""


class CameraQueue(Generic[Source]):
    """The newest frame of a camera, and the commands for its tracker; and what became of its frames.

    `Worker.new_queue` makes one. What waits is bounded, however much comes.

    Args:
        listener: hears of the results.
        changed: the worker's: held wherever anything is read or written, and told of what has come.
    """

    def __init__(self, listener: Listener[Source], changed: threading.Condition) -> None:
        self.listener = listener
        self.tracker: TextTracker | None = None
        self._changed = changed
        self._waiting: Source | None = None
        self._commands: list[tuple[str, Command]] = []
        self._stopped = False
        self._received = self._processed = self._dropped = self._unusable = 0
        self._input, self._output = RateMeter(), RateMeter()

    def use(self, tracker: TextTracker | None) -> None:
        """Work with this tracker from now on, or with none: frames are then dropped, and commands wait. Only from a job."""
        with self._changed:
            self.tracker = tracker
            if tracker is None:
                self._drop_waiting()

    def offer(self, source: Source) -> None:
        """Leave the newest frame; one that still waits is dropped. Returns at once."""
        with self._changed:
            self._received += 1
            self._input.tick()
            works = self.tracker is not None and not self._stopped
            if self._waiting is not None or not works:
                self._dropped += 1
            if works:
                self._waiting = source
                self._changed.notify_all()

    def submit(self, kind: str, command: Command, *, most: int = 1, unless: Collection[str] = ()) -> bool:
        """Have the worker call `command(tracker)` before the next frame. Returns at once.

        Args:
            kind: what it is about.
            command: called in the order of submission.
            most: commands of this kind that may wait; the oldest of them gives way.
            unless: where a command of one of these kinds waits, nothing is left.

        Returns:
            False where one gave way.
        """
        with self._changed:
            if any(each in unless for each, _ in self._commands):
                return True
            same = [index for index, (each, _) in enumerate(self._commands) if each == kind]
            full = len(same) >= most
            if full:
                del self._commands[same[0]]
            self._commands.append((kind, command))
            self._changed.notify_all()
            return not full

    def discard(self, *kinds: str) -> None:
        """Forget waiting commands of these kinds."""
        with self._changed:
            self._commands = [each for each in self._commands if each[0] not in kinds]

    def counts(self) -> Counts:
        """A consistent picture of the counters."""
        with self._changed:
            return Counts(
                received=self._received,
                processed=self._processed,
                dropped=self._dropped,
                unusable=self._unusable,
                input_rate=self._input.rate(),
                output_rate=self._output.rate(),
            )

    # For the worker.

    def has_work(self) -> bool:
        """Something waits that can be done. The condition is held."""
        return self.tracker is not None and (bool(self._commands) or self._waiting is not None)

    def take_commands(self) -> list[Command]:
        """Those that wait, where there is a tracker to take them."""
        with self._changed:
            if self.tracker is None:
                return []
            commands, self._commands = self._commands, []
            return [command for _, command in commands]

    def take_frame(self) -> Source | None:
        """The one that waits."""
        with self._changed:
            source, self._waiting = self._waiting, None
            return source

    def count(self, *, processed: bool = False, unusable: bool = False) -> None:
        """A frame that was taken is done with: processed, or else dropped."""
        with self._changed:
            self._processed += processed
            self._dropped += not processed
            self._unusable += unusable
            if processed:
                self._output.tick()

    def stop(self) -> None:
        """Take no more frames; one that waits is dropped."""
        with self._changed:
            self._stopped = True
            self._drop_waiting()

    def _drop_waiting(self) -> None:
        self._dropped += self._waiting is not None
        self._waiting = None
