from __future__ import annotations

import json
from pathlib import Path

import pytest
from PIL import Image
from small_models import small_sam2

from fastsam2_ros.cli import main
from fastsam2_ros.lab.evaluation.ablation import measure, store
from fastsam2_ros.streaming.loading import LoadedSam2
from fastsam2_ros.streaming.model import StreamingSam2

from ..footage import ids, write_davis

MASKS = [ids(o1=left) for left in (0, 2, 4, 6)]
CHOSEN = ["keep 0.6", "keep 0.35", "default", "fixed as default", "keep 0.16", "without mask"]


@pytest.fixture
def words(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The command on two short sequences with a small model."""
    sam = LoadedSam2(StreamingSam2(small_sam2()), True)
    monkeypatch.setattr(measure, "load", lambda model: sam)
    write_davis(tmp_path / "shorts", {"a": MASKS, "b": MASKS})
    places = ["--runs", str(tmp_path / "runs"), "--out", str(tmp_path / "out")]
    model = ["--model", "mini", "--checkpoint", "untrained", "--device", "cpu"]
    return ["ablate", "--sequences", "0", "--close-ups", "0", "--davis", str(tmp_path / "shorts"), *model, *places]


def test_from_sequences_to_table_and_curves(words, tmp_path: Path, capsys, monkeypatch) -> None:
    assert main([*words, "--only", *CHOSEN]) == 0
    content = json.loads((tmp_path / "out" / "results.json").read_text())
    found = {row["policy"]: row for row in content["rows"] if row["group"] == "shorts"}
    assert set(found) == {"dense", *CHOSEN}
    assert found["dense"]["sequences"] == 2
    queries = {name: row["queries"] for name, row in found.items()}
    assert queries["keep 0.35"] == pytest.approx((1 + 2 * 90 / 256) / 3, abs=1e-5)  # all of them right after the prompt
    assert queries["fixed as default"] == pytest.approx(queries["default"], abs=0.01)
    assert {file.stem for file in (tmp_path / "runs").rglob("*.json")} == {"a", "b"}
    text = (tmp_path / "out" / "results.md").read_text()
    assert "Untrained weights" in text
    for name in ("front", "keep_ratio"):
        assert f"({name}.png)" in text
        with Image.open(tmp_path / "out" / f"{name}.png") as picture:
            assert picture.width > 800
    assert "these figures mean nothing" in capsys.readouterr().out

    def unwanted(*_):
        raise AssertionError("this was measured already")

    monkeypatch.setattr(store, "measure", unwanted)
    assert main([*words, "--only", *CHOSEN]) == 0
    assert json.loads((tmp_path / "out" / "results.json").read_text())["rows"] == content["rows"]


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (["--only", "none"], "no policy or family 'none'"),
        (["--davis", "nowhere"], "no folder nowhere"),
    ],
)
def test_what_cannot_be_is_told(words, more: list[str], message: str, capsys) -> None:
    assert main([*words, *more]) == 2
    assert message in capsys.readouterr().err


def test_something_to_measure_on_is_needed(capsys) -> None:
    assert main(["ablate", "--sequences", "0", "--close-ups", "0"]) == 2
    assert "nothing to measure on" in capsys.readouterr().err
