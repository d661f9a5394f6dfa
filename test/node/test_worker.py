import threading
import weakref

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

    def on_failure(self, subject, error):
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
def worker(listener):
    worker = Worker(lambda error: listener.on_failure("job", error))
    yield worker
    worker.stop()


@pytest.fixture
def queue(worker, listener):
    """Of the only camera."""
    return worker.new_queue(listener)


@pytest.fixture
def start(worker, queue):
    """Starts the worker with a tracker; the camera's queue."""

    def make(tracker):
        in_use = threading.Event()
        worker.call(lambda: (queue.use(tracker), in_use.set()))
        worker.start()
        assert in_use.wait(timeout=10)
        return queue

    return make


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
    queue = start(CentreTracker())
    queue.offer(frame(7))
    listener.wait_for(lambda: listener.results)
    assert listener.results[0].stamp_ns == 7


def test_the_newest_frame_is_taken_and_those_between_are_dropped(start, listener):
    gate = Gate()
    queue = start(CentreTracker(before_step=gate))
    queue.offer(frame(0))
    gate.wait_until_entered()
    for stamp in range(1, 10):
        queue.offer(frame(stamp))
    gate.open.release(2)
    listener.wait_for(lambda: len(listener.results) == 2)
    assert [result.stamp_ns for result in listener.results] == [0, 9]
    assert queue.counts().dropped == 8


def test_a_frame_in_work_and_one_that_waits_are_pending(start, listener):
    gate = Gate()
    queue = start(CentreTracker(before_step=gate))
    queue.offer(frame(0))
    gate.wait_until_entered()
    queue.offer(frame(1))
    assert queue.counts().pending == 2
    gate.open.release(2)
    listener.wait_for(lambda: len(listener.results) == 2)
    assert queue.counts().pending == 0


def test_dropped_and_processed_make_up_received_after_a_stop_in_mid_stream(start, worker, listener):
    gate = Gate()
    queue = start(CentreTracker(before_step=gate))
    queue.offer(frame(0))
    gate.wait_until_entered()
    queue.offer(frame(1))
    stopper = threading.Thread(target=worker.stop)
    stopper.start()
    gate.open.release(2)
    stopper.join(timeout=10)
    queue.offer(frame(2))
    counts = queue.counts()
    assert counts.received == 3
    assert counts.processed + counts.dropped == 3


def test_commands_come_before_the_next_frame_in_their_order(start, listener):
    tracker = CentreTracker()
    queue = start(tracker)
    queue.submit("text", lambda tracker: tracker.set_target("cup"))
    queue.submit("other", lambda tracker: tracker.set_target("mug; plate"))
    queue.offer(frame(0))
    listener.wait_for(lambda: listener.results)
    assert [target.description for target in listener.results[0].objects] == ["mug", "plate"]


def test_the_newest_command_of_a_kind_replaces_those_that_wait(start, listener):
    gate, tracker = Gate(), CentreTracker()
    tracker.before_step = gate
    queue = start(tracker)
    queue.offer(frame(0))
    gate.wait_until_entered()
    done = []
    for index in range(2000):
        queue.submit("text", lambda tracker, index=index: done.append(index))
    gate.open.release(2)
    queue.offer(frame(1))
    listener.wait_for(lambda: len(listener.results) == 2)
    assert done == [1999]


def test_commands_that_may_wait_together_are_bounded_and_the_oldest_gives_way(start, listener):
    gate = Gate()
    queue = start(CentreTracker(before_step=gate))
    queue.offer(frame(0))
    gate.wait_until_entered()
    done = []
    kept = [queue.submit("box", lambda tracker, index=index: done.append(index), most=3) for index in range(5)]
    gate.open.release(2)
    queue.offer(frame(1))
    listener.wait_for(lambda: len(listener.results) == 2)
    assert kept == [True, True, True, False, False]
    assert done == [2, 3, 4]


def test_a_flood_of_commands_does_not_keep_frames_from_being_tracked(start, listener):
    queue = start(CentreTracker())
    listener.on_publish = lambda: None

    def again(tracker):
        queue.submit("text", again)  # There is always one more.

    queue.submit("text", again)
    queue.offer(frame(0))
    listener.wait_for(lambda: listener.results)


def test_a_stop_is_heeded_between_commands(start, worker, listener):
    queue = start(CentreTracker())
    entered, leave, done = threading.Event(), threading.Event(), []

    def slow(tracker):
        entered.set()
        assert leave.wait(timeout=10)

    gate = threading.Event()
    worker.call(lambda: gate.wait(timeout=10))
    queue.submit("slow", slow)
    queue.submit("box", lambda tracker: done.append(1))
    gate.set()
    assert entered.wait(timeout=10)
    stopper = threading.Thread(target=worker.stop)
    stopper.start()
    while not worker.stopping:
        pass
    leave.set()
    stopper.join(timeout=10)
    assert done == []


def test_commands_wait_for_a_tracker(worker, queue):
    done, job_done = threading.Event(), threading.Event()
    worker.start()
    queue.submit("text", lambda tracker: done.set())
    worker.call(job_done.set)
    assert job_done.wait(timeout=10)
    assert not done.is_set()
    worker.call(lambda: queue.use(CentreTracker()))
    assert done.wait(timeout=10)
    worker.stop()


def test_discarded_commands_are_not_run(worker, queue):
    done, ran = threading.Event(), []
    queue.submit("text", lambda tracker: ran.append("text"))
    queue.submit("box", lambda tracker: ran.append("box"))
    queue.submit("reset", lambda tracker: done.set())
    queue.discard("text", "box")
    worker.call(lambda: queue.use(CentreTracker()))
    worker.start()
    assert done.wait(timeout=10)
    worker.stop()
    assert ran == []


def test_frames_without_a_tracker_are_dropped(worker, queue):
    worker.start()
    queue.offer(frame(0))
    worker.stop()
    assert (queue.counts().received, queue.counts().dropped) == (1, 1)


def test_a_job_that_does_not_end_does_not_hold_up_a_stop(worker, queue, monkeypatch):
    monkeypatch.setattr("fastsam2_ros.node.worker.JOB_SECONDS", 0.01)
    entered, leave = threading.Event(), threading.Event()
    worker.call(lambda: (entered.set(), leave.wait(timeout=10)))
    worker.start()
    assert entered.wait(timeout=10)
    assert worker.stop() is False
    leave.set()


def test_memory_is_given_back_after_a_step_that_had_too_little(start, worker, listener, monkeypatch):
    given_back = threading.Event()
    monkeypatch.setattr("fastsam2_ros.node.worker.give_memory_back", given_back.set)
    failures = iter([RuntimeError("CUDA out of memory. Tried to allocate 2.00 GiB")])

    def fail_once():
        for failure in failures:
            raise failure

    queue = start(CentreTracker(before_step=fail_once))
    queue.offer(frame(0))
    assert given_back.wait(timeout=10)
    queue.offer(frame(1))
    listener.wait_for(lambda: listener.results)


def test_what_a_failed_step_had_made_is_gone_when_memory_is_given_back(start, worker, listener, monkeypatch):
    class Tensor:
        pass

    alive, checked = [], threading.Event()

    def fail():
        tensor = Tensor()
        alive.append(weakref.ref(tensor))
        raise RuntimeError("CUDA out of memory")

    def check():
        alive.append(alive[0]())
        checked.set()

    monkeypatch.setattr("fastsam2_ros.node.worker.give_memory_back", check)
    monkeypatch.setattr(listener, "on_failure", lambda subject, error: None)
    start(CentreTracker(before_step=fail)).offer(frame(0))
    assert checked.wait(timeout=10)
    assert alive[1] is None


def test_a_command_needs_no_frame(start, listener):
    done = threading.Event()
    start(CentreTracker()).submit("text", lambda tracker: done.set())
    assert done.wait(timeout=10)


def test_the_tracker_is_called_from_one_thread_that_is_not_the_callers(start, listener):
    tracker = CentreTracker()
    queue = start(tracker)
    queue.submit("text", lambda tracker: tracker.set_target("cup"))
    queue.offer(frame(0))
    listener.wait_for(lambda: listener.results)
    assert len(tracker.threads) == 1
    assert threading.get_ident() not in tracker.threads


@pytest.mark.parametrize(("error", "subject"), [(InputError("empty"), "image"), (ValueError("odd"), "tracker")])
def test_a_frame_that_cannot_be_decoded_is_dropped_and_told(start, listener, error, subject):
    queue = start(CentreTracker())
    queue.offer(error)
    listener.wait_for(lambda: listener.errors)
    assert listener.errors == [(subject, error)]
    counts = queue.counts()
    assert (counts.received, counts.processed, counts.dropped, counts.unusable) == (1, 0, 1, 1)


def test_a_tracker_that_fails_once_is_asked_again(start, listener):
    failures = iter([RuntimeError("out of memory")])

    def fail_once():
        for failure in failures:
            raise failure

    queue = start(CentreTracker(before_step=fail_once))
    queue.offer(frame(0))
    listener.wait_for(lambda: listener.errors)
    queue.offer(frame(1))
    listener.wait_for(lambda: listener.results)
    assert listener.results[0].stamp_ns == 1


@pytest.mark.parametrize("error", [InputError("too long"), KeyError("x")])
def test_a_command_that_fails_is_told_and_the_worker_goes_on(start, listener, error):
    def fail(tracker):
        raise error

    queue = start(CentreTracker())
    queue.submit("text", fail)
    queue.offer(frame(0))
    listener.wait_for(lambda: listener.results)
    assert listener.errors == [("target", error)]


def test_a_result_that_cannot_be_published_does_not_end_the_worker(start, listener):
    def fail():
        raise OSError("no space")

    listener.on_publish = fail
    queue = start(CentreTracker())
    queue.offer(frame(0))
    listener.wait_for(lambda: listener.errors)
    queue.offer(frame(1))
    listener.wait_for(lambda: len(listener.results) == 2)
    assert listener.errors[0][0] == "output"


def test_a_listener_that_fails_does_not_end_the_worker(start, listener, monkeypatch):
    def fail(subject, error):
        raise OSError("no log")

    monkeypatch.setattr(listener, "on_failure", fail)
    queue = start(CentreTracker())
    queue.submit("text", lambda tracker: tracker.no_such_method())
    queue.offer(frame(0))
    listener.wait_for(lambda: listener.results)


def test_nothing_is_told_while_the_worker_stops(start, worker, listener):
    gate = Gate()
    queue = start(CentreTracker(before_step=gate))
    listener.on_publish = lambda: (_ for _ in ()).throw(RuntimeError("the graph is gone"))
    queue.offer(frame(0))
    gate.wait_until_entered()
    stopper = threading.Thread(target=worker.stop)
    stopper.start()
    while not worker.stopping:
        pass
    gate.open.release()
    stopper.join(timeout=10)
    assert listener.errors == []


@pytest.fixture
def two(worker):
    """Two cameras, each with its listener, on a worker that has begun; the trackers are siblings."""

    def make(tracker):
        listeners = [Listener(), Listener()]
        queues = [worker.new_queue(each) for each in listeners]
        in_use = threading.Event()
        trackers = [tracker, tracker.sibling()]
        worker.call(lambda: [queue.use(each) for queue, each in zip(queues, trackers, strict=True)] + [in_use.set()])
        worker.start()
        assert in_use.wait(timeout=10)
        return queues, listeners

    return make


def offer_together(worker, queues, *sources):
    """Frames that all wait before the first is taken."""
    gate = threading.Event()
    worker.call(lambda: gate.wait(timeout=10))
    for queue, source in zip(queues, sources, strict=True):
        queue.offer(source)
    gate.set()


def test_frames_of_two_cameras_are_encoded_in_one_batch(worker, two):
    tracker = CentreTracker()
    queues, listeners = two(tracker)
    offer_together(worker, queues, frame(1), frame(2))
    for listener in listeners:
        listener.wait_for(lambda listener=listener: listener.results)
    assert tracker.batches == [2]
    assert [listener.results[0].stamp_ns for listener in listeners] == [1, 2]


def test_a_frame_alone_is_no_batch(two):
    tracker = CentreTracker()
    queues, listeners = two(tracker)
    queues[1].offer(frame(3))
    listeners[1].wait_for(lambda: listeners[1].results)
    assert tracker.batches == []


def test_a_frame_that_cannot_be_decoded_takes_no_other_with_it(worker, two):
    queues, listeners = two(CentreTracker())
    offer_together(worker, queues, InputError("odd"), frame(2))
    listeners[1].wait_for(lambda: listeners[1].results)
    assert [subject for subject, _ in listeners[0].errors] == ["image"]
    assert listeners[1].errors == []


def test_frames_that_cannot_be_encoded_together_are_encoded_one_by_one_from_then_on(worker, two):
    tracker, tries = CentreTracker(), []

    def encode(frames):
        tries.append(len(frames))
        raise RuntimeError("CUDA out of memory")

    tracker.encode = encode
    queues, listeners = two(tracker)
    for count in (1, 2):
        offer_together(worker, queues, frame(count), frame(count))
        for listener in listeners:
            listener.wait_for(lambda listener=listener, count=count: len(listener.results) == count)
    assert tries == [2]
    assert [listener.errors for listener in listeners] == [[], []]


def test_frames_for_new_trackers_are_encoded_together_again(worker, two):
    tracker, newer = CentreTracker(), CentreTracker()
    tracker.encode = lambda frames: 1 / 0
    queues, listeners = two(tracker)
    for count in (1, 2):
        offer_together(worker, queues, frame(count), frame(count))
        for listener in listeners:
            listener.wait_for(lambda listener=listener, count=count: len(listener.results) == count)
        worker.call(lambda: [queue.use(each) for queue, each in zip(queues, (newer, newer.sibling()), strict=True)])
    assert newer.batches == [2]


def test_frames_of_a_round_that_a_stop_ends_are_dropped(worker, two):
    gate = Gate()
    queues, _ = two(CentreTracker(before_step=gate))
    offer_together(worker, queues, frame(1), frame(2))
    gate.wait_until_entered()
    stopper = threading.Thread(target=worker.stop)
    stopper.start()
    while not worker.stopping:
        pass
    gate.open.release()
    stopper.join(timeout=10)
    assert [(each.counts().processed, each.counts().dropped) for each in queues] == [(1, 0), (0, 1)]


def test_a_job_that_fails_is_told_and_the_worker_goes_on(worker, start, listener):
    queue = start(CentreTracker())
    worker.call(lambda: 1 / 0)
    queue.offer(frame(0))
    listener.wait_for(lambda: listener.results)
    assert [subject for subject, _ in listener.errors] == ["job"]
