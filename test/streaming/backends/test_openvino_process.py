"""What OpenVINO leaves to the process that it is in."""

import ctypes
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
import torch


@pytest.fixture
def runtime():
    return pytest.importorskip("fastsam2_ros.streaming.backends.openvino_runtime").OpenvinoRuntime(bf16=False)


class SignalStack(ctypes.Structure):
    """stack_t of sigaltstack(2)."""

    _fields_ = [("place", ctypes.c_void_p), ("flags", ctypes.c_int), ("size", ctypes.c_size_t)]

    @classmethod
    def of_this_thread(cls):
        stack = cls()
        assert ctypes.CDLL(None).sigaltstack(None, ctypes.byref(stack)) == 0
        return stack.place, stack.flags, stack.size


def test_openvino_leaves_the_stack_for_signals_of_the_thread_that_uses_it(runtime, tmp_path):
    """It would go with the last model, and the next signal would end the process."""
    before = SignalStack.of_this_thread()
    image = torch.rand(1, 3, 32, 32)
    runtime.export(torch.nn.Conv2d(3, 4, 3), (image,), tmp_path, "encoder")
    session = runtime.load(tmp_path, "encoder")
    assert SignalStack.of_this_thread() == before
    (output,) = session.run(image)
    assert output.shape == (1, 4, 30, 30)
    assert SignalStack.of_this_thread() == before


@contextmanager
def cores_of_threads() -> Iterator[set[frozenset[int]]]:
    """On which cores a thread of this process was allowed to run, while the block ran."""
    seen: set[frozenset[int]] = set()
    over = threading.Event()

    def watch() -> None:
        while not over.wait(0.001):
            for thread in os.listdir("/proc/self/task"):
                try:
                    seen.add(frozenset(os.sched_getaffinity(int(thread))))
                except ProcessLookupError:  # it has ended
                    continue

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        yield seen
    finally:
        over.set()
        watcher.join()


@pytest.mark.skipif(len(os.sched_getaffinity(0)) < 2, reason="there is one core alone")
def test_openvino_binds_no_thread_to_a_core(runtime, tmp_path):
    """Two processes of one thread each would be bound to the same core, and wait for one another."""
    image = torch.rand(1, 8, 128, 128)
    runtime.export(torch.nn.Conv2d(8, 32, 3), (image,), tmp_path, "encoder")
    session = runtime.load(tmp_path, "encoder")
    with cores_of_threads() as seen:
        for _ in range(300):
            session.run(image)
    assert seen == {frozenset(os.sched_getaffinity(0))}
