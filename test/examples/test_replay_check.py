"""examples/replay_check.py on the generated world, with bars that it has to pass and to miss."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
COMMAND = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", str(ROOT / "examples/replay_check.py")]


@pytest.fixture(scope="module")
def footage(tmp_path_factory):
    """A sequence of four frames, in the layout of DAVIS."""
    folder = tmp_path_factory.mktemp("footage")
    words = ["world", str(folder / "world"), "--level", "1", "--frames", "4", "--size", "160x120"]
    subprocess.run([sys.executable, "-m", "fastsam2_ros.cli", *words], check=True, cwd=ROOT)
    return folder / "world"


@pytest.mark.parametrize(
    ("bar", "seconds", "passed"), [("0", "1000", 2), ("1.01", "1000", 1), ("0", "0", 1)], ids=["well", "J&F", "time"]
)
def test_it_fails_below_the_bar_and_above_the_time(footage, bar, seconds, passed):
    # MODEL is empty where make hands it on without a value.
    environment = {**os.environ, "MODEL": "", "DATASET": str(footage), "BAR": bar, "SECONDS": seconds}
    found = subprocess.run(COMMAND, env=environment, capture_output=True, text=True, cwd=ROOT, check=False)
    assert f"{passed} passed" in found.stdout, found.stdout
    assert (found.returncode == 0) is (passed == 2)
