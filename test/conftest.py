"""What several tests need."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, settings
from pretended_cuda import pretended_cuda

# A shell that starts the tests in the background has Ctrl-C ignored, and so would every process that they start and end by it.
if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

# The models of the tests are small: more threads would mostly wait for one another, most of all on a busy machine.
torch.set_num_threads(1)

# No time limits: the machine may be busy. `pytest --hypothesis-profile hard --hypothesis-seed N` draws many more.
_PATIENT = {"deadline": None, "print_blob": True, "suppress_health_check": list(HealthCheck)}
settings.register_profile("usual", max_examples=60, **_PATIENT)
settings.register_profile("hard", max_examples=3000, **_PATIENT)
settings.load_profile("usual")

ROOT = Path(__file__).resolve().parent.parent
SHARED = ROOT.parent / "shared"


@pytest.fixture(scope="session")
def shared() -> Path:
    """Real footage that is not part of the project."""
    if not SHARED.is_dir():
        pytest.skip(f"real footage is not here: {SHARED} is missing")
    return SHARED


@pytest.fixture
def noise_frame() -> np.ndarray:
    """uint8 (96, 128, 3)."""
    return np.random.default_rng(0).integers(0, 256, (96, 128, 3), np.uint8)


@pytest.fixture(scope="session", params=["cpu", "cuda"] if torch.cuda.is_available() else ["cpu"])
def device(request) -> torch.device:
    """Every device that models can run on here."""
    return torch.device(request.param)


@pytest.fixture(scope="module")
def cuda() -> Iterator[torch.device]:
    """CUDA without a GPU, for tests of where tensors are."""
    if torch.cuda.is_available():
        pytest.skip("there is a CUDA GPU: the tests that take `device` run on it")
    with pretended_cuda() as device:
        yield device
