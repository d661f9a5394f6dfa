"""Commands for the tracker, beside the frames."""

import threading

import pytest

from fastsam2_ros.errors import InputError

from .fakes import CentreTracker
from .work import Gate, frame


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


def test_a_command_needs_no_frame(start, listener):
    done = threading.Event()
    start(CentreTracker()).submit("text", lambda tracker: done.set())
    assert done.wait(timeout=10)


@pytest.mark.parametrize("error", [InputError("too long"), KeyError("x")])
def test_a_command_that_fails_is_told_and_the_worker_goes_on(start, listener, error):
    def fail(tracker):
        raise error

    queue = start(CentreTracker())
    queue.submit("text", fail)
    queue.offer(frame(0))
    listener.wait_for(lambda: listener.results)
    assert listener.errors == [("target", error)]
