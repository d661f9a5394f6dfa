"""`fastsam2 train`."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys

from fastsam2_ros.cli import main
from fastsam2_ros.lab.training.loop import CHECKPOINT, LOG


def test_a_device_that_is_not_there_is_named(tmp_path, capsys):
    assert main(["train", "sam2", "--out", str(tmp_path), "--device", "cuda:77"]) == 2
    assert "cuda" in capsys.readouterr().err


def test_a_time_that_is_none_is_refused(tmp_path, capsys):
    assert main(["train", "clip", "--out", str(tmp_path), "--minutes", "0", "--device", "cpu"]) == 2
    assert "minutes or steps" in capsys.readouterr().err


def test_weights_and_a_donor_are_not_both_taken(tmp_path, capsys):
    words = ["--weights", "a.safetensors", "--donor", "b.safetensors", "--device", "cpu"]
    assert main(["train", "sam2", "--out", str(tmp_path), *words]) == 2
    assert "--donor is for a training from nothing" in capsys.readouterr().err


def test_a_stopped_training_leaves_a_checkpoint(tmp_path):
    words = ["train", "sam2", "--out", str(tmp_path), "--minutes", "60", "--workers", "0", "--device", "cpu"]
    process = subprocess.Popen(
        [sys.executable, "-m", "fastsam2_ros.cli", *words], env={**os.environ, "OMP_NUM_THREADS": "1"}
    )
    try:
        log = tmp_path / LOG
        while process.poll() is None and not (log.exists() and log.stat().st_size):
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(0.05)
        process.send_signal(signal.SIGTERM)
        assert process.wait(60) == 130
    finally:
        process.kill()
    assert (tmp_path / CHECKPOINT).exists()
