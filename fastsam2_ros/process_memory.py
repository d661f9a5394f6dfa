"""Memory that a process takes."""

from __future__ import annotations

import os
from pathlib import Path


def resident_bytes(pid: int | str = "self") -> int:
    """Resident memory of the process with this number; raises `OSError` where there is none."""
    pages = int(Path("/proc", str(pid), "statm").read_text(encoding="ascii").split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


def gpu_bytes(device: str) -> int:
    """What tensors take on a CUDA device.

    Args:
        device: torch's name of it, such as cuda:0.
    """
    import torch

    return torch.cuda.memory_allocated(device)
