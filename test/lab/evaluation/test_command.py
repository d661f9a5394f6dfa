from __future__ import annotations

import json
from pathlib import Path

import pytest

from fastsam2_ros.bags.frames import open_frames
from fastsam2_ros.cli import main

from .footage import ids, names, write_davis, write_masks

MASKS = [ids(o1=0), ids(o1=2), ids(o1=4), ids(o1=6)]


@pytest.fixture
def davis(tmp_path: Path) -> Path:
    write_davis(tmp_path / "data", {"good": MASKS, "bad": MASKS})
    write_masks(tmp_path / "results" / "good", dict(zip(names(4), MASKS, strict=True)))
    write_masks(tmp_path / "results" / "bad", dict.fromkeys(names(4), ids(o1=24)))
    return tmp_path


def test_stored_masks_are_judged_beside_the_baselines(davis: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = davis / "out"
    words = ["evaluate", str(davis / "data"), "--masks", str(davis / "results"), "--baselines", "--out", str(out)]
    assert main(words) == 0
    content = json.loads((out / "results.json").read_text())
    assert {row["method"] for row in content["summary"]} == {"results", "first mask", "nearest neighbours"}
    by_name = {row["name"]: row["J&F"] for row in content["sequences"] if row["method"] == "results"}
    assert by_name == {"good": 1.0, "bad": 0.0}
    assert (content["best.mp4"], content["worst.mp4"]) == ("good", "bad")
    assert "first mask" in (out / "results.md").read_text()
    assert "first mask" in capsys.readouterr().out
    assert (out / "plot.png").stat().st_size > 1000
    for video in ("best.mp4", "worst.mp4"):
        assert len(list(open_frames(out / video))) == 4


def test_our_tracker_runs_from_end_to_end(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["evaluate", "synthetic", "--sequences", "1", "--max-frames", "3", "--out", str(tmp_path / "out")]
    assert main([*words, "--model", "mini", "--checkpoint", "untrained", "--keep-ratio", "0.5"]) == 0
    content = json.loads((tmp_path / "out" / "results.json").read_text())
    (record,) = content["records"]
    (scores,) = record["objects"].values()
    assert scores["frames"] == [1]
    assert record["keep_ratio"] == [0.5] * 3
    assert record["untrained"]
    assert "language.name=none" in content["settings"]
    assert "these figures mean nothing" in capsys.readouterr().out


def test_sequences_and_frames_can_be_cut(davis: Path) -> None:
    words = ["--masks", str(davis / "results"), "--sequences", "1", "--max-frames", "3", "--out", str(davis / "out")]
    assert main(["evaluate", str(davis / "data"), *words]) == 0
    (record,) = json.loads((davis / "out" / "results.json").read_text())["records"]
    assert record["objects"]["1"]["frames"] == [1]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["none"], "no folder none"),
        (["synthetic", "--mode", "description", "--baselines"], "--mode first-mask"),
        (["synthetic", "--masks", "none"], "no folder none"),
        (["synthetic", "--model", "mini", "--checkpoint", "none.pt"], "no checkpoint file none.pt"),
    ],
)
def test_what_cannot_be_is_told(
    words: list[str], message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["evaluate", *words, "--out", str(tmp_path)]) == 2
    assert message in capsys.readouterr().err


def test_numbers_start_at_one(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["evaluate", "synthetic", "--sequences", "0"])
    assert "no number from 1 on" in capsys.readouterr().err
