"""A process with OpenVINO in it goes on getting signals."""

import ctypes

import pytest
import torch


class SignalStack(ctypes.Structure):
    """stack_t of sigaltstack(2)."""

    _fields_ = [("place", ctypes.c_void_p), ("flags", ctypes.c_int), ("size", ctypes.c_size_t)]

    @classmethod
    def of_this_thread(cls):
        stack = cls()
        assert ctypes.CDLL(None).sigaltstack(None, ctypes.byref(stack)) == 0
        return stack.place, stack.flags, stack.size


def test_openvino_leaves_the_stack_for_signals_of_the_thread_that_uses_it(tmp_path):
    """It would go with the last model, and the next signal would end the process."""
    runtime = pytest.importorskip("fastsam2_ros.streaming.backends.openvino_runtime").OpenvinoRuntime(bf16=False)
    before = SignalStack.of_this_thread()
    image = torch.rand(1, 3, 32, 32)
    runtime.export(torch.nn.Conv2d(3, 4, 3), (image,), tmp_path, "encoder")
    session = runtime.load(tmp_path, "encoder")
    assert SignalStack.of_this_thread() == before
    (output,) = session.run(image)
    assert output.shape == (1, 4, 30, 30)
    assert SignalStack.of_this_thread() == before
