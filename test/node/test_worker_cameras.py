"""One worker for several cameras."""

import threading

import pytest

from fastsam2_ros.errors import InputError

from .fakes import CentreTracker
from .work import Gate, Listener, frame, stop_within_a_step


@pytest.fixture
def make(worker):
    """Cameras, each with its listener, on a worker that has begun; the trackers are siblings."""

    def build(tracker, count):
        listeners = [Listener() for _ in range(count)]
        queues = [worker.new_queue(each) for each in listeners]
        in_use = threading.Event()
        trackers = [tracker, *(tracker.sibling() for _ in range(count - 1))]
        worker.call(lambda: [queue.use(each) for queue, each in zip(queues, trackers, strict=True)] + [in_use.set()])
        worker.start()
        assert in_use.wait(timeout=10)
        return queues, listeners, trackers

    return build


@pytest.fixture
def two(make):
    """Two of them: their queues and listeners."""
    return lambda tracker: make(tracker, 2)[:2]


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


@pytest.mark.parametrize(("idle", "batches"), [((0,), [2]), ((0, 1), []), ((0, 1, 2), [])])
def test_frames_in_which_there_is_nothing_to_do_are_in_no_batch(worker, make, idle, batches):
    tracker = CentreTracker()
    queues, listeners, trackers = make(tracker, 3)
    for place in idle:
        trackers[place].idle = True
    offer_together(worker, queues, frame(1), frame(2), frame(3))
    for listener in listeners:
        listener.wait_for(lambda listener=listener: listener.results)
    assert [size for each in trackers for size in each.batches] == batches


def test_only_frames_of_one_size_are_in_a_batch(worker, make):
    tracker = CentreTracker()
    queues, listeners, trackers = make(tracker, 4)
    trackers[1].next_grid = trackers[2].next_grid = (16, 16)
    offer_together(worker, queues, *map(frame, range(1, 5)))
    for listener in listeners:
        listener.wait_for(lambda listener=listener: listener.results)
    assert [each.batches for each in trackers] == [[2], [2], [], []]


def test_a_frame_of_another_size_than_all_others_is_in_no_batch(worker, make):
    queues, listeners, trackers = make(CentreTracker(), 2)
    trackers[1].next_grid = (16, 16)
    offer_together(worker, queues, frame(1), frame(2))
    for listener in listeners:
        listener.wait_for(lambda listener=listener: listener.results)
    assert [each.batches for each in trackers] == [[], []]


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
    stop_within_a_step(worker, gate)
    assert [(each.counts().processed, each.counts().dropped) for each in queues] == [(1, 0), (0, 1)]
