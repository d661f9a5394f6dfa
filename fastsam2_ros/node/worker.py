"""The thread in which the tracker is loaded and runs, beside the executor."""

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
from fastsam2_ros.node.failures import give_memory_back, is_out_of_memory
from fastsam2_ros.node.rates import RateMeter
from fastsam2_ros.results import TrackResult

if TYPE_CHECKING:
    from fastsam2_ros.tracker import TextTracker

_log = logging.getLogger(__name__)

Source = TypeVar("Source")
Source_contra = TypeVar("Source_contra", contravariant=True)
Command = Callable[["TextTracker"], None]

_JOB_SECONDS = 1.0
"""What a job at work gets to end in, where the worker is to stop."""


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
    """What the worker asks and tells, always in its own thread."""

    def decode(self, source: Source_contra) -> tuple[RgbImage, int]:
        """The RGB frame, uint8 (H, W, 3), and its stamp in nanoseconds. Raises `InputError`."""

    def wants_tokens(self) -> bool:
        """Whether the next result is to have `TrackResult.tokens`."""

    def on_result(self, source: Source_contra, frame: RgbImage, result: TrackResult, started: float) -> None:
        """A frame was tracked; its work began at `started` (time.perf_counter, seconds)."""

    def on_failure(self, subject: str, error: Exception) -> None:
        """A frame or command came to nothing. subject: image, tracker, target or output."""


class Worker(Generic[Source]):
    """One thread that does everything with the tracker: jobs, such as loading it, then commands, then the newest frame.

    Commands and frames wait for a tracker (`use`). Nothing that one of them raises ends the thread: the listener hears of
    it, and the next one is taken. What waits is bounded, however much comes.
    """

    def __init__(self, listener: Listener[Source]) -> None:
        self._tracker: TextTracker | None = None
        self._listener = listener
        self._condition = threading.Condition()
        self._waiting: Source | None = None
        self._jobs: deque[Callable[[], None]] = deque()
        self._commands: list[tuple[str, Command]] = []
        self._stopping = self._in_job = False
        self._received = self._processed = self._dropped = self._unusable = 0
        self._input, self._output = RateMeter(), RateMeter()
        # A daemon, since a model that is being loaded must not hold up the end of the process.
        self._thread = threading.Thread(target=self._run, name="tracker", daemon=True)

    def start(self) -> None:
        """Begin to work; what is there already comes first."""
        self._thread.start()

    def call(self, job: Callable[[], None]) -> None:
        """Have the thread call `job()`, in order and before all commands and frames. Returns at once."""
        with self._condition:
            self._jobs.append(job)
            self._condition.notify_all()

    def use(self, tracker: TextTracker | None) -> None:
        """Work with this tracker from now on, or with none: frames are then dropped, and commands wait. Only from a job."""
        with self._condition:
            self._tracker = tracker
            if tracker is None and self._waiting is not None:
                self._waiting = None
                self._dropped += 1

    def offer(self, source: Source) -> None:
        """Leave the newest frame; one that still waits is dropped. Returns at once."""
        with self._condition:
            self._received += 1
            self._input.tick()
            works = self._tracker is not None and not self._stopping
            if self._waiting is not None or not works:
                self._dropped += 1
            if works:
                self._waiting = source
                self._condition.notify_all()

    def submit(self, kind: str, command: Command, *, most: int = 1) -> bool:
        """Have the worker call `command(tracker)` before the next frame. Returns at once.

        Args:
            kind: what it is about.
            command: called in the order of submission.
            most: commands of this kind that may wait; the oldest of them gives way.

        Returns:
            False where one gave way.
        """
        with self._condition:
            same = [index for index, (each, _) in enumerate(self._commands) if each == kind]
            full = len(same) >= most
            if full:
                del self._commands[same[0]]
            self._commands.append((kind, command))
            self._condition.notify_all()
            return not full

    def discard(self, *kinds: str) -> None:
        """Forget waiting commands of these kinds."""
        with self._condition:
            self._commands = [each for each in self._commands if each[0] not in kinds]

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

    def stop(self) -> bool:
        """Finish the frame or command in work, drop what waits, end the thread.

        Returns:
            False where the thread goes on, because a job does not end; it does nothing more after that.
        """
        with self._condition:
            self._stopping = True
            self._condition.notify_all()
            patience = _JOB_SECONDS if self._in_job else None
        if self._thread.ident is not None:
            self._thread.join(patience)
        with self._condition:
            if self._waiting is not None:
                self._waiting = None
                self._dropped += 1
        return not self._thread.is_alive()

    def _run(self) -> None:
        while True:
            with self._condition:
                self._condition.wait_for(self._has_work)
                if self._stopping:
                    return
                job = self._jobs.popleft() if self._jobs else None
                self._in_job = job is not None
                commands: list[tuple[str, Command]] = []
                if job is None:
                    commands, self._commands = self._commands, []
                tracker = self._tracker
            if job is not None:
                self._execute("tracker", job)
            elif tracker is not None:
                self._work(tracker, commands)

    def _has_work(self) -> bool:
        works = self._tracker is not None and (self._commands or self._waiting is not None)
        return bool(self._stopping or self._jobs or works)

    def _work(self, tracker: TextTracker, commands: list[tuple[str, Command]]) -> None:
        """One round: the commands that waited, then the newest frame. Those that come meanwhile are for the next round."""
        for _, command in commands:
            if self._stopping:
                return
            self._execute("target", lambda command=command: command(tracker))  # type: ignore[misc]
        with self._condition:
            if self._stopping or self._waiting is None:
                return
            source, self._waiting = self._waiting, None
        self._track(tracker, source)

    def _execute(self, subject: str, call: Callable[[], None]) -> None:
        try:
            call()
        except Exception as error:
            self._tell(subject, error)

    def _track(self, tracker: TextTracker, source: Source) -> None:
        started = time.perf_counter()
        short = False
        try:
            frame, stamp_ns = self._listener.decode(source)
            result = tracker.step(frame, stamp_ns, view_tokens=self._listener.wants_tokens())
        except Exception as error:
            with self._condition:
                self._dropped += 1
                self._unusable += 1
            self._tell("image" if isinstance(error, InputError) else "tracker", error)
            short = is_out_of_memory(error)
        else:
            with self._condition:
                self._processed += 1
                self._output.tick()
            self._execute("output", lambda: self._listener.on_result(source, frame, result, started))
        if short:  # Out here, where the error, which refers to what the step had made, is gone.
            give_memory_back()

    def _tell(self, subject: str, error: Exception) -> None:
        with self._condition:
            if self._stopping:
                return  # The graph is going down: whatever failed, failed because of that.
        try:
            self._listener.on_failure(subject, error)
        except Exception:
            _log.exception("The listener failed while it was told of: %s", error)
