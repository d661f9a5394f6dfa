import threading
import weakref

import pytest

from fastsam2_ros.errors import InputError

from .fakes import CentreTracker
from .work import Gate, frame, stop_within_a_step


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
    stop_within_a_step(worker, gate)
    assert listener.errors == []


def test_a_job_that_fails_is_told_and_the_worker_goes_on(worker, start, listener):
    queue = start(CentreTracker())
    worker.call(lambda: 1 / 0)
    queue.offer(frame(0))
    listener.wait_for(lambda: listener.results)
    assert [subject for subject, _ in listener.errors] == ["job"]
