"""Processes end, whatever happens."""

from __future__ import annotations

import signal
from pathlib import Path

import pytest

from fastsam2_ros.errors import FastSam2Error
from fastsam2_ros.lab.processes import Processes

from .running import running

FOREVER = "import time; print('here', flush=True); time.sleep(600)"


def started(processes: Processes, logs: Path) -> str:
    """A process that ends on a signal only, and the words that it is known by."""
    mark = str(logs)
    processes.start("waiting", "timeit", "-n", "1", "-r", "1", f"{FOREVER} # {mark}")
    while "here" not in (logs / "waiting.log").read_text():
        assert not processes.ended("waiting")
    return mark


def interrupted(logs: Path) -> None:
    with Processes(logs) as processes:
        assert running(started(processes, logs))
        raise KeyboardInterrupt


def watched(processes: Processes, name: str) -> None:
    while not processes.ended(name):
        pass


def test_none_is_left_running_after_an_error(tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt):
        interrupted(tmp_path)
    assert not running(str(tmp_path))


def test_one_that_fails_is_told_with_its_last_words(tmp_path: Path) -> None:
    with Processes(tmp_path) as processes:
        processes.start("divider", "timeit", "1/0")
        with pytest.raises(FastSam2Error, match=r"'divider' ended with exit code 1: ZeroDivisionError.*divider\.log"):
            watched(processes, "divider")


def test_one_that_fails_is_told_while_another_is_waited_for(tmp_path: Path) -> None:
    with Processes(tmp_path) as processes:
        started(processes, tmp_path)
        processes.start("divider", "timeit", "1/0")
        with pytest.raises(FastSam2Error, match="'divider'"):
            watched(processes, "waiting")


def test_an_exit_code_after_a_signal_is_looked_at(tmp_path: Path) -> None:
    with Processes(tmp_path) as processes:
        started(processes, tmp_path)
        with pytest.raises(FastSam2Error, match="KeyboardInterrupt"):
            processes.stop("waiting")


def test_processes_hear_signals_although_this_one_was_started_in_the_background(tmp_path: Path) -> None:
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        with Processes(tmp_path) as processes:
            started(processes, tmp_path)
            with pytest.raises(FastSam2Error, match="KeyboardInterrupt"):
                processes.stop("waiting")
    finally:
        signal.signal(signal.SIGINT, before)
