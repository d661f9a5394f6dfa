from __future__ import annotations

import os
import signal
import subprocess
import sys

import cv2
import pytest

from fastsam2_ros.batch.perform import perform_all
from fastsam2_ros.batch.workers import Workers
from fastsam2_ros.errors import FastSam2Error, InputError, ModelError

from . import jobs


def test_one_process_does_the_jobs_in_their_order() -> None:
    assert [(done.job, done.value()) for done in perform_all(jobs.square, [-2, 1])] == [(-2, 4), (1, 1)]


def test_several_processes_give_what_one_gives() -> None:
    assert {done.job: done.value() for done in perform_all(jobs.square, [-2, 1, 3], Workers(2))} == {-2: 4, 1: 1, 3: 9}


@pytest.mark.parametrize("count", [1, 2])
def test_a_job_that_fails_keeps_none_of_the_others(count: int) -> None:
    outcomes = {done.job: done for done in perform_all(jobs.refuse_negative, [-1, 2, 3], Workers(count))}
    assert {number for number, done in outcomes.items() if done.error is None} == {2, 3}
    with pytest.raises(InputError, match="-1 is negative"):
        outcomes[-1].value()


def test_an_error_that_nobody_foresaw_says_where_it_is_from() -> None:
    (done,) = perform_all(jobs.divide_by, [0])
    with pytest.raises(FastSam2Error, match=r"^ZeroDivisionError: .*jobs\.py, line \d+"):
        done.value()


@pytest.mark.parametrize("count", [1, 2])
def test_without_a_model_nothing_goes_on(count: int) -> None:
    with pytest.raises(ModelError, match="no weights"):
        list(perform_all(jobs.without_model, [1, 2], Workers(count)))


@pytest.mark.parametrize("count", [1, 2])
def test_warnings_come_with_their_job(count: int) -> None:
    outcomes = perform_all(jobs.warn, [1, 2], Workers(count))
    assert {done.job: done.warnings for done in outcomes} == {1: ("frame 1 is dark",), 2: ("frame 2 is dark",)}


def test_of_thousands_of_warnings_the_first_are_kept() -> None:
    (done,) = perform_all(jobs.warn_often, [1000])
    assert len(done.warnings) < 30
    assert done.warnings[0] == "1000"


def test_a_process_that_was_killed_is_told() -> None:
    with pytest.raises(FastSam2Error, match="fewer --jobs"):
        list(perform_all(jobs.killed_if_negative, [-1, -2], Workers(2)))


TRACK_WITHOUT_END = """
import sys
from batch.jobs import never_end
from fastsam2_ros.bags import track_many
from fastsam2_ros.cli import main
track_many.track = never_end
sys.exit(main(sys.argv[1:]))
"""


def test_sigterm_ends_a_command_with_jobs_that_run_and_jobs_that_wait() -> None:
    words = ["track", "a", "b", "c", "d", "--description", "mug", "--checkpoint", "untrained", "--jobs", "2"]
    command = subprocess.Popen(
        [sys.executable, "-c", TRACK_WITHOUT_END, *words],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )
    assert command.stdout is not None
    assert [command.stdout.readline() for _ in range(2)] == [b"begun\n"] * 2
    command.send_signal(signal.SIGTERM)
    # Its output is at its end when the last of its processes is.
    assert command.stdout.read() == b""
    assert command.wait() == 143


@pytest.mark.parametrize("left", [1, 2])
def test_threads_do_not_depend_on_how_many_jobs_are_left(monkeypatch: pytest.MonkeyPatch, left: int) -> None:
    monkeypatch.setattr(os, "cpu_count", lambda: 12)
    monkeypatch.setenv("OMP_NUM_THREADS", "12")
    before = cv2.getNumThreads()
    try:
        assert {done.value() for done in perform_all(jobs.threads, range(left), Workers(4))} == {"3"}
    finally:
        cv2.setNumThreads(before)
