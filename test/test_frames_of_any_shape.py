"""Frames of any shape go through the tracker, the plug-in and the node's messages: in a process of its own, since what failed
was the process.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

SHAPES = (
    (1, 1),
    (2, 1),
    (3, 200),
    (200, 3),
    (31, 192),
    (64, 2048),
    (1024, 128),
    (2, 8192),
    (8192, 2),
)
"""(H, W)."""
_HERE = Path(__file__).parent
PROGRAM = _HERE / "any_shape.py"


@pytest.mark.parametrize("what", ["tracker", "plug-in", "node", "outputs"])
def test_every_shape(what):
    words = [sys.executable, str(PROGRAM), what, *(f"{height}x{width}" for height, width in SHAPES)]
    done = subprocess.run(words, capture_output=True, text=True, timeout=600, cwd=_HERE.parent, check=False)
    told = done.stdout.split()
    assert done.returncode == 0, f"{what} ended with {done.returncode} after {told[-1:]}: {done.stderr[-2000:]}"
    assert told == [f"{height}x{width}" for height, width in SHAPES]
