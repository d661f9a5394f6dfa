"""How torch's threads wait."""

import os
import subprocess
import sys

import pytest

from fastsam2_ros.cli import main
from fastsam2_ros.openmp import wait_passively

NAME = "OMP_WAIT_POLICY"
LOAD = """
from fastsam2_ros.config import ModelConfig, TrackerConfig
from fastsam2_ros.errors import ModelError
from fastsam2_ros.node.main import load_tracker
try:
    load_tracker(TrackerConfig(model=ModelConfig(name="nowhere.yaml")))
except ModelError:
    pass
"""


@pytest.fixture(autouse=True)
def _unset(monkeypatch):
    monkeypatch.setenv(NAME, "")  # so that it is as before afterwards
    monkeypatch.delenv(NAME)


def test_in_the_node_threads_that_wait_sleep():
    """As OpenMP itself says when torch is imported."""
    ended = subprocess.run(
        [sys.executable, "-c", LOAD],
        check=True,
        env={**os.environ, "OMP_DISPLAY_ENV": "true"},
        capture_output=True,
        text=True,
        timeout=120,
    )
    lines = [line for line in ended.stderr.splitlines() if NAME in line]
    if not lines:
        pytest.skip("this torch computes without GNU's OpenMP, which says what it does")
    assert "'PASSIVE'" in lines[0]


def test_in_a_command_too():
    with pytest.raises(SystemExit):
        main(["bag", "--help"])
    assert os.environ[NAME] == "passive"


def test_a_policy_that_is_set_stays(monkeypatch):
    monkeypatch.setenv(NAME, "active")
    wait_passively()
    assert os.environ[NAME] == "active"
