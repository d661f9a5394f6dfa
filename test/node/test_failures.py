import gc
import weakref

import pytest

from fastsam2_ros.node.failures import device_answers, give_memory_back, is_lasting, is_out_of_memory

ASSERT = "CUDA error: device-side assert triggered\nCUDA kernel errors might be asynchronously reported"
MEMORY = "CUDA out of memory. Tried to allocate 2.00 GiB"


def dead(device):
    return False


def alive(device):
    return True


class AcceleratorError(RuntimeError):
    """Named as torch's own, of 2.8 and later."""


def caused(outer, inner):
    outer.__cause__ = inner
    return outer


@pytest.mark.parametrize(
    "error",
    [
        RuntimeError(ASSERT),
        AcceleratorError("an illegal memory access was encountered"),
        RuntimeError("cuDNN error: CUDNN_STATUS_EXECUTION_FAILED"),
        RuntimeError("CUDA error: CUBLAS_STATUS_EXECUTION_FAILED when calling cublasSgemm"),
        caused(ValueError("the step failed"), RuntimeError(ASSERT)),
    ],
)
def test_an_error_of_a_device_that_is_dead_is_lasting(error):
    assert is_lasting(error, "cuda:0", dead)


@pytest.mark.parametrize(
    "error",
    [
        RuntimeError(MEMORY),
        RuntimeError("CUDA error: out of memory"),
        RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling cublasCreate"),
        ValueError("shapes do not agree"),
    ],
)
def test_other_errors_are_not(error):
    assert not is_lasting(error, "cuda:0", dead)


def test_an_error_of_a_device_that_answers_is_not():
    assert not is_lasting(RuntimeError("CUDA error: invalid argument"), "cuda:0", alive)


def test_a_cpu_has_no_lasting_errors():
    assert not is_lasting(RuntimeError(ASSERT), "cpu", dead)


def test_a_device_that_is_not_there_does_not_answer():
    assert not device_answers("cuda:99")


@pytest.mark.parametrize(
    ("error", "short"), [(RuntimeError(MEMORY), True), (MemoryError(), True), (KeyError("a"), False)]
)
def test_errors_about_memory_are_known(error, short):
    assert is_out_of_memory(error) is short


def test_a_chain_of_errors_that_bites_its_tail_has_an_end():
    first, second = ValueError("a"), ValueError("b")
    first.__context__, second.__context__ = second, first
    assert not is_out_of_memory(first)


def test_memory_that_nobody_refers_to_is_given_back():
    class Loop:
        pass

    gc.disable()
    try:
        loop = Loop()
        loop.itself, gone = loop, weakref.ref(loop)
        del loop
        give_memory_back()
        assert gone() is None
    finally:
        gc.enable()
