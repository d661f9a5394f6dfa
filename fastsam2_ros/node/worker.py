"""The thread in which the tracker runs, beside the executor."""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Generic, Protocol, TypeVar

from fastsam2_ros.errors import InputError
from fastsam2_ros.images import RgbImage
from fastsam2_ros.node.rates import RateMeter
from fastsam2_ros.results import TrackResult

if TYPE_CHECKING:
    from fastsam2_ros.tracker import TextTracker

_log = logging.getLogger(__name__)

Source = TypeVar("Source")
Source_contra = TypeVar("Source_contra", contravariant=True)
Command = Callable[["TextTracker"], None]


@dataclass(frozen=True)
class Counts:
    """Frames since the start, and rates. received = processed + dropped + pending, always.

    Attributes:
        received: frames offered.
        processed: frames that the tracker gave a result for.
        dropped: frames that a newer one replaced, that could not be used, or that were left over at the end.
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
    """What the worker asks and tells, always in its own thread."""

    def decode(self, source: Source_contra) -> tuple[RgbImage, int]:
        """The RGB frame, uint8 (H, W, 3), and its stamp in nanoseconds. Raises `InputError`."""

    def wants_tokens(self) -> bool:
        """Whether the next result is to have `TrackResult.tokens`."""

    def on_result(self, source: Source_contra, frame: RgbImage, result: TrackResult, started: float) -> None:
        """A frame was tracked; its work began at `started` (time.perf_counter, seconds)."""

    def on_error(self, subject: str, error: Exception) -> None:
        """A frame or command came to nothing. subject: image, tracker, target or output."""


class Worker(Generic[Source]):
    """Calls the tracker from one thread only: commands in their order, and always the newest frame.

    Nothing that a frame or command raises ends it: the listener hears of it, and the next one is taken.
    """

    def __init__(self, tracker: TextTracker, listener: Listener[Source]) -> None:
        self._tracker = tracker
        self._listener = listener
        self._condition = threading.Condition()
        self._waiting: Source | None = None
        self._commands: deque[Command] = deque()
        self._stopping = False
        self._received = self._processed = self._dropped = self._unusable = 0
        self._input, self._output = RateMeter(), RateMeter()
        self._thread = threading.Thread(target=self._run, name="tracker")

    def start(self) -> None:
        """Begin to work; frames and commands that are there already come first."""
        self._thread.start()

    def offer(self, source: Source) -> None:
        """Leave the newest frame; one that still waits is dropped. Returns at once."""
        with self._condition:
            self._received += 1
            self._input.tick()
            if self._waiting is not None or self._stopping:
                self._dropped += 1
            if not self._stopping:
                self._waiting = source
                self._condition.notify_all()

    def submit(self, command: Command) -> None:
        """Have the worker call `command(tracker)` before the next frame. Returns at once."""
        with self._condition:
            self._commands.append(command)
            self._condition.notify_all()

    def counts(self) -> Counts:
        """A consistent picture of the counters."""
        with self._condition:
            return Counts(
                received=self._received,
                processed=self._processed,
                dropped=self._dropped,
                unusable=self._unusable,
                input_rate=self._input.rate(),
                output_rate=self._output.rate(),
            )

    def stop(self) -> None:
        """Finish the frame in work, drop the one that waits, end the thread."""
        with self._condition:
            self._stopping = True
            self._condition.notify_all()
        if self._thread.ident is not None:
            self._thread.join()
        with self._condition:
            if self._waiting is not None:
                self._waiting = None
                self._dropped += 1

    def _run(self) -> None:
        while True:
            with self._condition:
                self._condition.wait_for(lambda: self._stopping or self._commands or self._waiting is not None)
                if self._stopping:
                    return
                commands, self._commands = self._commands, deque()
                source, self._waiting = self._waiting, None
            for command in commands:
                self._execute(command)
            if source is not None:
                self._track(source)

    def _execute(self, command: Command) -> None:
        try:
            command(self._tracker)
        except Exception as error:
            self._tell("target", error)

    def _track(self, source: Source) -> None:
        started = time.perf_counter()
        try:
            frame, stamp_ns = self._listener.decode(source)
            result = self._tracker.step(frame, stamp_ns, view_tokens=self._listener.wants_tokens())
        except Exception as error:
            with self._condition:
                self._dropped += 1
                self._unusable += 1
            self._tell("image" if isinstance(error, InputError) else "tracker", error)
            return
        with self._condition:
            self._processed += 1
            self._output.tick()
        try:
            self._listener.on_result(source, frame, result, started)
        except Exception as error:
            self._tell("output", error)

    def _tell(self, subject: str, error: Exception) -> None:
        with self._condition:
            if self._stopping:
                return  # The graph is going down: whatever failed, failed because of that.
        try:
            self._listener.on_error(subject, error)
        except Exception:
            _log.exception("The listener failed while it was told of: %s", error)
