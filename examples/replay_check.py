"""A replay test for your own CI: it fails where quality falls below a bar, or a step takes longer than it may.

    DATASET=~/footage BAR=0.8 SECONDS=0.1 pytest examples/replay_check.py

DATASET is a folder in the layout of DAVIS (docs/replay-tests.md tells how to make one of a bag); without it, the generated
world is taken, one sequence of 10 frames. MODEL is the SAM 2 model, mini by default.
"""

import json
import os
import statistics
import subprocess

import pytest

DATASET, MODEL = os.environ.get("DATASET"), os.environ.get("MODEL") or "mini"
BAR = float(os.environ.get("BAR") or "0.5")
"""Least mean J&F, [0, 1]."""
SECONDS = float(os.environ.get("SECONDS") or "5")
"""Most that the median step may take."""
WHAT = [DATASET] if DATASET else ["synthetic", "--sequences", "1", "--max-frames", "10"]


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    """results.json of `fastsam2 evaluate`."""
    out = tmp_path_factory.mktemp("evaluate")
    subprocess.run(["fastsam2", "evaluate", *WHAT, "--model", MODEL, "--out", str(out)], check=True)
    return json.loads((out / "results.json").read_text())


def test_quality(results):
    """Mean J&F over all targets."""
    scores = [
        statistics.fmean((*each["J"], *each["F"]))
        for record in results["records"]
        for each in record["objects"].values()
        if each["J"]
    ]
    assert statistics.fmean(scores) >= BAR


def test_time_of_a_step(results):
    """Median over all frames."""
    assert statistics.median(seconds for record in results["records"] for seconds in record["seconds"]) <= SECONDS
