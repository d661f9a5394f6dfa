from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from bags.files import digests

from fastsam2_ros.bags.track_many import plan, track
from fastsam2_ros.bags.track_one import Wanted
from fastsam2_ros.batch.perform import perform_all
from fastsam2_ros.batch.sources import Source
from fastsam2_ros.batch.workers import Workers
from fastsam2_ros.cli import main
from fastsam2_ros.config import LanguageConfig, ModelConfig, TrackerConfig

from . import jobs

ALONE = Workers(cores=1)
ONE = Workers(1, 1, "local")
TWO = Workers(2, 1, "local")
WANTED = Wanted(
    TrackerConfig(model=ModelConfig(checkpoint="untrained", device="cpu"), language=LanguageConfig(name="none")),
    boxes=((8.0, 8.0, 16.0, 16.0),),
)


def planned(clips: Path, out: Path) -> list:
    return plan([Source(clips / name, name) for name in "ab"], WANTED, out)


def test_what_was_killed_in_the_middle_is_done_again_bit_for_bit(local_ray: str, clips: Path, tmp_path: Path) -> None:
    alone = {
        done.job.folder.name: done.value() for done in perform_all(track, planned(clips, tmp_path / "alone"), ALONE)
    }
    todo = planned(clips, tmp_path / "ray")
    on_ray = {done.job.folder.name: done.value() for done in perform_all(jobs.killed_once_in_the_middle, todo, ONE)}
    assert (tmp_path / "ray" / "killed").exists()
    assert on_ray == alone == {"a": 4, "b": 4}
    for name in "ab":
        assert digests(tmp_path / "ray" / name) == digests(tmp_path / "alone" / name)


def test_a_job_that_kills_every_worker_is_named_and_the_others_go_on(local_ray: str) -> None:
    outcomes = {done.job: done for done in perform_all(jobs.killed_if_negative, [-1, 2, 3, 4], TWO)}
    assert sorted(number for number, done in outcomes.items() if done.error is None) == [2, 3, 4]
    assert "killed 3 times" in str(outcomes[-1].error)


def test_warnings_and_errors_come_back(local_ray: str) -> None:
    (warned,) = perform_all(jobs.warn, [1], TWO)
    (failed,) = perform_all(jobs.refuse_negative, [-1], TWO)
    assert warned.warnings == ("frame 1 is dark",)
    assert "-1 is negative" in str(failed.error)


def test_the_command_tracks_on_a_cluster_and_does_nothing_twice(local_ray, clips, tmp_path, capsys) -> None:
    words = ["track", f"{clips}/*", "--box", "8,8,16,16", "--checkpoint", "untrained", "--set", "language.name=none"]
    words += ["--out", str(tmp_path / "out"), "--ray", local_ray, "--jobs", "1", "--max-frames", "2"]
    assert main(words) == 0
    files = {file: file.stat().st_mtime_ns for file in (tmp_path / "out").rglob("*")}
    assert (tmp_path / "out" / "b" / "made.json") in files
    assert main(words) == 0
    assert {file: file.stat().st_mtime_ns for file in (tmp_path / "out").rglob("*")} == files


@pytest.mark.parametrize(
    ("workers", "cpus", "gpus", "expected"),
    [
        (Workers(), 16, 0, (8, 2, 0.0)),
        (Workers(cores=4), 16, 0, (4, 4, 0.0)),
        (Workers(), 1, 0, (1, 1, 0.0)),
        (Workers(count=4), 16, 0, (4, 4, 0.0)),
        (Workers(count=4, cores=1), 16, 0, (4, 1, 0.0)),
        (Workers(), 16, 2, (2, 8, 1.0)),
        (Workers(count=4), 16, 2, (4, 4, 0.5)),
        (Workers(gpu=False), 16, 2, (8, 2, 0.0)),
    ],
)
def test_a_worker_has_a_gpu_or_some_cores(workers, cpus, gpus, expected) -> None:
    pytest.importorskip("ray")
    from fastsam2_ros.batch.on_ray import room

    assert room(workers, cpus, gpus) == expected


def test_without_ray_the_extra_is_named() -> None:
    """In a new interpreter: what Ray has imported here cannot be taken away from it."""
    code = (
        "import sys; sys.modules['ray'] = None\n"
        "from fastsam2_ros.batch.perform import perform_all\n"
        "from fastsam2_ros.batch.workers import Workers\n"
        "list(perform_all(print, [1], Workers(ray='local')))"
    )
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert "FastSam2Error: --ray needs Ray: pip install 'fastsam2_ros[ray]'." in ended.stderr
