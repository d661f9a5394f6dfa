"""How torch's threads wait, as OpenMP itself says when torch is imported."""

import os
import subprocess
import sys

import pytest

LOAD = """
from fastsam2_ros.config import ModelConfig, TrackerConfig
from fastsam2_ros.errors import ModelError
from fastsam2_ros.node.main import load_tracker
try:
    load_tracker(TrackerConfig(model=ModelConfig(name="nowhere.yaml")))
except ModelError:
    pass
"""
COMMAND = """
from fastsam2_ros.cli import main
try:
    main(["soak", "--help"])
except SystemExit:
    import torch
"""


def policy(code, **variables):
    environment = {name: value for name, value in os.environ.items() if name != "OMP_WAIT_POLICY"}
    ended = subprocess.run(
        [sys.executable, "-c", code],
        check=False,
        env={**environment, "OMP_DISPLAY_ENV": "true", **variables},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert ended.returncode == 0, ended.stderr
    lines = [line for line in ended.stderr.splitlines() if "OMP_WAIT_POLICY" in line]
    if not lines:
        pytest.skip("this torch computes without GNU's OpenMP, which says what it does")
    return lines[0].partition("'")[2].rstrip("'")


@pytest.mark.parametrize("code", [LOAD, COMMAND], ids=["node", "command"])
def test_threads_that_wait_sleep(code):
    assert policy(code) == "PASSIVE"


def test_a_policy_that_is_set_stays():
    assert policy(LOAD, OMP_WAIT_POLICY="active") == "ACTIVE"
