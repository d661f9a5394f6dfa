import threading

import numpy as np
import pytest

from fastsam2_ros.errors import InputError
from fastsam2_ros.node.worker import Worker

from .fakes import CentreTracker


class Listener:
    """Frames are (array, stamp); every outcome is noted, and can be waited for."""

    def __init__(self):
        self.results = []
        self.errors = []
        self.on_publish = lambda: None
        self._changed = threading.Condition()

    def decode(self, source):
        if isinstance(source, Exception):
            raise source
        return source

    def wants_tokens(self):
        return False

    def on_result(self, source, frame, result, started):
        with self._changed:
            self.results.append(result)
            self._changed.notify_all()
        self.on_publish()

    def on_error(self, subject, error):
        with self._changed:
            self.errors.append((subject, error))
            self._changed.notify_all()

    def wait_for(self, condition):
        with self._changed:
            assert self._changed.wait_for(condition, timeout=10), "it did not happen within 10 s"


@pytest.fixture
def listener():
    return Listener()


@pytest.fixture
def start(listener):
    workers = []

    def make(tracker):
        worker = Worker(tracker, listener)
        worker.start()
        workers.append(worker)
        return worker

    yield make
    for worker in workers:
        worker.stop()


def frame(stamp):
    return np.zeros((8, 8, 3), np.uint8), stamp


class Gate:
    """Holds the tracker inside a step until it is opened."""

    def __init__(self):
        self.entered = threading.Semaphore(0)
        self.open = threading.Semaphore(0)

    def __call__(self):
        self.entered.release()
        assert self.open.acquire(timeout=10)

    def wait_until_entered(self):
        assert self.entered.acquire(timeout=10)


def test_a_frame_is_processed(start, listener):
    worker = start(CentreTracker())
    worker.offer(frame(7))
    listener.wait_for(lambda: listener.results)
    assert listener.results[0].stamp_ns == 7


def test_the_newest_frame_is_taken_and_those_between_are_dropped(start, listener):
    gate = Gate()
    worker = start(CentreTracker(before_step=gate))
    worker.offer(frame(0))
    gate.wait_until_entered()
    for stamp in range(1, 10):
        worker.offer(frame(stamp))
    gate.open.release(2)
    listener.wait_for(lambda: len(listener.results) == 2)
    assert [result.stamp_ns for result in listener.results] == [0, 9]
    assert worker.counts().dropped == 8


def test_a_frame_in_work_and_one_that_waits_are_pending(start, listener):
    gate = Gate()
    worker = start(CentreTracker(before_step=gate))
    worker.offer(frame(0))
    gate.wait_until_entered()
    worker.offer(frame(1))
    assert worker.counts().pending == 2
    gate.open.release(2)
    listener.wait_for(lambda: len(listener.results) == 2)
    assert worker.counts().pending == 0


def test_dropped_and_processed_make_up_received_after_a_stop_in_mid_stream(start, listener):
    gate = Gate()
    worker = start(CentreTracker(before_step=gate))
    worker.offer(frame(0))
    gate.wait_until_entered()
    worker.offer(frame(1))
    stopper = threading.Thread(target=worker.stop)
    stopper.start()
    gate.open.release(2)
    stopper.join(timeout=10)
    worker.offer(frame(2))
    counts = worker.counts()
    assert counts.received == 3
    assert counts.processed + counts.dropped == 3


def test_commands_come_before_the_next_frame_in_their_order(start, listener):
    tracker = CentreTracker()
    worker = start(tracker)
    worker.submit(lambda tracker: tracker.set_target("cup"))
    worker.submit(lambda tracker: tracker.set_target("mug; plate"))
    worker.offer(frame(0))
    listener.wait_for(lambda: listener.results)
    assert [target.description for target in listener.results[0].objects] == ["mug", "plate"]


def test_a_command_needs_no_frame(start, listener):
    done = threading.Event()
    start(CentreTracker()).submit(lambda tracker: done.set())
    assert done.wait(timeout=10)


def test_the_tracker_is_called_from_one_thread_that_is_not_the_callers(start, listener):
    tracker = CentreTracker()
    worker = start(tracker)
    worker.submit(lambda tracker: tracker.set_target("cup"))
    worker.offer(frame(0))
    listener.wait_for(lambda: listener.results)
    assert len(tracker.threads) == 1
    assert threading.get_ident() not in tracker.threads


@pytest.mark.parametrize(("error", "subject"), [(InputError("empty"), "image"), (ValueError("odd"), "tracker")])
def test_a_frame_that_cannot_be_decoded_is_dropped_and_told(start, listener, error, subject):
    worker = start(CentreTracker())
    worker.offer(error)
    listener.wait_for(lambda: listener.errors)
    assert listener.errors == [(subject, error)]
    counts = worker.counts()
    assert (counts.received, counts.processed, counts.dropped, counts.unusable) == (1, 0, 1, 1)


def test_a_tracker_that_fails_once_is_asked_again(start, listener):
    failures = iter([RuntimeError("out of memory")])

    def fail_once():
        for failure in failures:
            raise failure

    worker = start(CentreTracker(before_step=fail_once))
    worker.offer(frame(0))
    listener.wait_for(lambda: listener.errors)
    worker.offer(frame(1))
    listener.wait_for(lambda: listener.results)
    assert listener.results[0].stamp_ns == 1


@pytest.mark.parametrize("error", [InputError("too long"), KeyError("x")])
def test_a_command_that_fails_is_told_and_the_worker_goes_on(start, listener, error):
    def fail(tracker):
        raise error

    worker = start(CentreTracker())
    worker.submit(fail)
    worker.offer(frame(0))
    listener.wait_for(lambda: listener.results)
    assert listener.errors == [("target", error)]


def test_a_result_that_cannot_be_published_does_not_end_the_worker(start, listener):
    def fail():
        raise OSError("no space")

    listener.on_publish = fail
    worker = start(CentreTracker())
    worker.offer(frame(0))
    listener.wait_for(lambda: listener.errors)
    worker.offer(frame(1))
    listener.wait_for(lambda: len(listener.results) == 2)
    assert listener.errors[0][0] == "output"


def test_a_listener_that_fails_does_not_end_the_worker(start, listener, monkeypatch):
    def fail(subject, error):
        raise OSError("no log")

    monkeypatch.setattr(listener, "on_error", fail)
    worker = start(CentreTracker())
    worker.submit(lambda tracker: tracker.no_such_method())
    worker.offer(frame(0))
    listener.wait_for(lambda: listener.results)


def test_nothing_is_told_while_the_worker_stops(start, listener):
    gate = Gate()
    worker = start(CentreTracker(before_step=gate))
    listener.on_publish = lambda: (_ for _ in ()).throw(RuntimeError("the graph is gone"))
    worker.offer(frame(0))
    gate.wait_until_entered()
    stopper = threading.Thread(target=worker.stop)
    stopper.start()
    while not worker._stopping:
        pass
    gate.open.release()
    stopper.join(timeout=10)
    assert listener.errors == []
