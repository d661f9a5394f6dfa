"""The thread in which trackers are loaded and run, beside the executor."""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Generic
from weakref import WeakSet

from fastsam2_ros.errors import InputError
from fastsam2_ros.images import RgbImage
from fastsam2_ros.node.failures import give_memory_back, is_out_of_memory
from fastsam2_ros.node.queues import CameraQueue, Listener, Source

if TYPE_CHECKING:
    from fastsam2_ros.streaming.values import FrameFeatures
    from fastsam2_ros.tracker import TextTracker

_log = logging.getLogger(__name__)

JOB_SECONDS = 1.0
"""What a job at work gets to end in, where the worker is to stop."""


@dataclass
class _Frame(Generic[Source]):
    """One that was taken from its queue.

    Attributes:
        queue, tracker, source: where it comes from, what tracks it, and the message.
        rgb: uint8 (H, W, 3).
        stamp_ns: nanoseconds.
        started: when its work began, `time.perf_counter`, seconds.
        features: where it was encoded already.
    """

    queue: CameraQueue[Source]
    tracker: TextTracker
    source: Source
    rgb: RgbImage
    stamp_ns: int
    started: float
    features: FrameFeatures | None = None


class Worker(Generic[Source]):
    """One thread that does everything with the trackers: jobs, such as loading them, then commands, then the newest frames.

    Each camera has a queue. Frames of several cameras that wait at the same time are encoded in one batch, but for those in
    which there is nothing to do; a camera of which none waits is not waited for. Nothing that a command or a frame raises ends
    the thread: the listener hears of it, and the next one is taken.

    Args:
        on_failure: hears, in this thread, of a job that failed.

    Attributes:
        stopping: `stop` was called.
    """

    def __init__(self, on_failure: Callable[[Exception], None]) -> None:
        self._on_failure = on_failure
        self._changed = threading.Condition()
        self._queues: list[CameraQueue[Source]] = []
        self._jobs: deque[Callable[[], None]] = deque()
        self.stopping = self._in_job = False
        self._one_by_one: WeakSet[TextTracker] = WeakSet()  # frames for these could not be encoded together
        # A daemon, since a model that is being loaded must not hold up the end of the process.
        self._thread = threading.Thread(target=self._run, name="tracker", daemon=True)

    def new_queue(self, listener: Listener[Source]) -> CameraQueue[Source]:
        """A queue for one more camera."""
        queue = CameraQueue(listener, self._changed)
        with self._changed:
            self._queues.append(queue)
        return queue

    def start(self) -> None:
        """Begin to work; what is there already comes first."""
        self._thread.start()

    def call(self, job: Callable[[], None]) -> None:
        """Have the thread call `job()`, in order and before all commands and frames. Returns at once."""
        with self._changed:
            self._jobs.append(job)
            self._changed.notify_all()

    def stop(self) -> bool:
        """Finish the frame or command in work, drop what waits, end the thread.

        Returns:
            False where the thread goes on, because a job does not end; it does nothing more after that.
        """
        with self._changed:
            self.stopping = True
            self._changed.notify_all()
            patience = JOB_SECONDS if self._in_job else None
        if self._thread.ident is not None:
            self._thread.join(patience)
        for queue in self._queues:
            queue.stop()
        return not self._thread.is_alive()

    def _run(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(self._has_work)
                if self.stopping:
                    return
                job = self._jobs.popleft() if self._jobs else None
                self._in_job = job is not None
                queues = list(self._queues)
            if job is not None:
                self._execute(job, self._on_failure)
            else:
                self._work(queues)

    def _has_work(self) -> bool:
        return bool(self.stopping or self._jobs or any(queue.has_work() for queue in self._queues))

    def _work(self, queues: list[CameraQueue[Source]]) -> None:
        """One round: the commands that waited, then the newest frames. Those that come meanwhile are for the next round."""
        for queue in queues:
            tracker = queue.tracker
            for command in queue.take_commands():
                if self.stopping:
                    return
                self._execute(
                    lambda command=command, tracker=tracker: command(tracker),  # type: ignore[misc]
                    lambda error, queue=queue: queue.listener.on_failure("target", error),  # type: ignore[misc]
                )
        if self._track_newest(queues):  # Out here, where the errors, which refer to what the steps had made, are gone.
            give_memory_back()

    def _track_newest(self, queues: list[CameraQueue[Source]]) -> bool:
        """Take, encode and track one frame of each camera that has one; whether memory was short."""
        short, frames = False, deque[_Frame[Source]]()
        for queue in queues:
            frame, failed = self._take(queue)
            short |= failed
            if frame is not None:
                frames.append(frame)
        short |= self._encode(frames)
        while frames:
            short |= self._track(frames.popleft())
        return short

    def _take(self, queue: CameraQueue[Source]) -> tuple[_Frame[Source] | None, bool]:
        """The frame that waits, decoded, or None; and whether memory was short."""
        started, tracker = time.perf_counter(), queue.tracker
        if self.stopping or tracker is None or (source := queue.take_frame()) is None:
            return None, False
        try:
            rgb, stamp_ns = queue.listener.decode(source)
        except Exception as error:
            return None, self._give_up(queue, error)
        return _Frame(queue, tracker, source, rgb, stamp_ns, started), False

    def _encode(self, frames: Sequence[_Frame[Source]]) -> bool:
        """Encode frames of several cameras as one batch, those that need it and if it can be; whether memory was short."""
        by_size: dict[tuple[int, int], list[_Frame[Source]]] = {}
        for frame in frames:
            by_size.setdefault(frame.tracker.next_grid, []).append(frame)
        short = [self._encode_alike(alike) for alike in by_size.values()]
        return any(short)

    def _encode_alike(self, frames: Sequence[_Frame[Source]]) -> bool:
        """Those of one size; whether memory was short."""
        try:
            frames = [frame for frame in frames if frame.tracker.needs_encoder(frame.stamp_ns)]
            if len(frames) < 2 or any(frame.tracker in self._one_by_one for frame in frames):
                return False
            encoded = frames[0].tracker.encode([frame.rgb for frame in frames])
        except Exception as error:  # Alone they may well go through; if not, each step tells why.
            self._one_by_one.update(frame.tracker for frame in frames)
            _log.warning("%d frames cannot be encoded together (%s): from now on one by one.", len(frames), error)
            return is_out_of_memory(error)
        for frame, features in zip(frames, encoded, strict=True):
            frame.features = features
        return False

    def _track(self, frame: _Frame[Source]) -> bool:
        """One step; whether memory was short."""
        queue, listener = frame.queue, frame.queue.listener
        if self.stopping or queue.tracker is not frame.tracker:
            queue.count()
            return False
        try:
            result = frame.tracker.step(
                frame.rgb, frame.stamp_ns, features=frame.features, view_tokens=listener.wants_tokens()
            )
        except Exception as error:
            return self._give_up(queue, error)
        queue.count(processed=True)
        self._execute(
            lambda: listener.on_result(frame.source, frame.rgb, result, frame.started),
            lambda error: listener.on_failure("output", error),
        )
        return False

    def _give_up(self, queue: CameraQueue[Source], error: Exception) -> bool:
        """Tell of a frame that came to nothing; whether memory was short."""
        queue.count(unusable=True)
        subject = "image" if isinstance(error, InputError) else "tracker"
        self._tell(error, lambda error: queue.listener.on_failure(subject, error))
        return is_out_of_memory(error)

    def _execute(self, call: Callable[[], object], on_failure: Callable[[Exception], None]) -> None:
        try:
            call()
        except Exception as error:
            self._tell(error, on_failure)

    def _tell(self, error: Exception, on_failure: Callable[[Exception], None]) -> None:
        with self._changed:
            if self.stopping:
                return  # The graph is going down: whatever failed, failed because of that.
        try:
            on_failure(error)
        except Exception:
            _log.exception("The listener failed while it was told of: %s", error)
