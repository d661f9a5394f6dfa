from __future__ import annotations

from unittest import mock

import torch

from fastsam2_ros.stopwatch import Stopwatch

CPU, CUDA = torch.device("cpu"), torch.device("cuda")


class Gpu:
    """Its clock stands still for the CPU's, and goes on with what was put into its queue."""

    def __init__(self) -> None:
        self.queue: list[Gpu.Event] = []
        self.time = 0.0  # ms
        self.waits = 0

    class Event:
        def __init__(self, gpu: Gpu) -> None:
            self._gpu, self.at = gpu, None

        def record(self, stream: object) -> None:
            self._gpu.queue.append(self)

        def elapsed_time(self, end: Gpu.Event) -> float:
            return end.at - self.at

    def work(self, milliseconds: float) -> None:
        self.queue.append(milliseconds)

    def synchronize(self, device: object) -> None:
        self.waits += 1
        for each in self.queue:
            if isinstance(each, Gpu.Event):
                each.at = self.time
            else:
                self.time += each
        self.queue.clear()


def test_stages_add_up_in_the_order_in_which_they_began() -> None:
    times = iter([0.0, 1.0, 5.0, 8.0, 10.0, 14.0])
    watch = Stopwatch(CPU, lambda: next(times))
    for name in ("motion", "encode", "motion"):
        with watch.stage(name):
            pass
    watch.add("encode", 0.5)
    assert list(watch.seconds().items()) == [("motion", 5.0), ("encode", 3.5)]
    assert watch.seconds() == {"motion": 5.0, "encode": 3.5}


def test_a_stage_that_fails_is_counted() -> None:
    times = iter([0.0, 2.0])
    watch = Stopwatch(CPU, lambda: next(times))
    try:
        with watch.stage("encode"):
            raise ValueError
    except ValueError:
        pass
    assert watch.seconds() == {"encode": 2.0}


def test_a_gpus_work_is_its_stages_and_is_waited_for_once() -> None:
    gpu = Gpu()
    found = {
        "Event": lambda enable_timing: Gpu.Event(gpu),
        "current_stream": mock.Mock(),
        "synchronize": gpu.synchronize,
    }
    with mock.patch.multiple(torch.cuda, **found):
        watch = Stopwatch(CUDA)
        for name, milliseconds in (("encode", 30.0), ("decode", 5.0), ("encode", 10.0)):
            with watch.stage(name):
                gpu.work(milliseconds)
        assert gpu.waits == 0
        assert watch.seconds() == {"encode": 0.04, "decode": 0.005}
        assert gpu.waits == 1


def test_by_another_clock_a_gpu_is_waited_for_at_both_ends_of_a_stage() -> None:
    times = iter([0.0, 3.0])
    gpu = Gpu()
    with mock.patch.object(torch.cuda, "synchronize", gpu.synchronize):
        watch = Stopwatch(CUDA, lambda: next(times))
        with watch.stage("encode"):
            pass
        assert gpu.waits == 2
        assert watch.seconds() == {"encode": 3.0}
