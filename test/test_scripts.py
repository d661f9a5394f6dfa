"""The executables that ROS runs."""

from __future__ import annotations

import runpy
from pathlib import Path

import pytest

SCRIPTS = Path(__file__).resolve().parent.parent / "scripts"


@pytest.mark.parametrize("name", ["fastsam2", "fastsam2_tracker"])
def test_a_child_process_that_imports_the_executable_does_not_run_it(name):
    """multiprocessing's 'spawn' imports the main file of its parent: it must not start everything once more."""
    runpy.run_path(str(SCRIPTS / name), run_name="__mp_main__")
