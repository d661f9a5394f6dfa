"""scripts/run: one command in the environment."""

from __future__ import annotations

import os
import subprocess

import pytest

from .project import ROOT


@pytest.fixture
def run():
    if not (ROOT / ".venv" / "bin" / "python").exists():
        pytest.skip("there is no .venv here: make setup")

    def command(*words, **variables):
        environment = {name: value for name, value in os.environ.items() if "PROFILES_FILE" not in name}
        answer = subprocess.run(
            [ROOT / "scripts" / "run", *words],
            env={**environment, **variables},
            check=False,
            cwd="/",
            capture_output=True,
            text=True,
        )
        return answer.stdout.strip(), answer.returncode

    return command


def test_python_is_that_of_the_environment(run):
    assert run("python3", "-c", "import sys; print(sys.prefix)") == (str(ROOT / ".venv"), 0)


def test_exit_code_is_that_of_the_command(run):
    assert run("sh", "-c", "exit 7")[1] == 7


def test_gives_the_dds_profile(run):
    assert run("printenv", "FASTDDS_DEFAULT_PROFILES_FILE")[0] == str(ROOT / "config" / "fastdds.xml")


@pytest.mark.parametrize("name", ["FASTDDS_DEFAULT_PROFILES_FILE", "FASTRTPS_DEFAULT_PROFILES_FILE"])
def test_leaves_the_users_dds_profile(run, name):
    printed, _ = run("sh", "-c", "printenv | grep ^FAST.*PROFILES_FILE", **{name: "mine.xml"})
    assert printed == f"{name}=mine.xml"


def test_leaves_an_active_ros_installation_out(run):
    assert "/opt/ros" not in run("printenv", "AMENT_PREFIX_PATH", AMENT_PREFIX_PATH="/opt/ros/jazzy")[0]
    assert "/opt/ros" not in run("printenv", "PYTHONPATH", PYTHONPATH="/opt/ros/jazzy/lib")[0]
