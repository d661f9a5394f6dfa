from __future__ import annotations

import json
import math
from dataclasses import replace
from pathlib import Path

import pytest

from fastsam2_ros.lab.evaluation.ablation.comparison import rows
from fastsam2_ros.lab.evaluation.ablation.policies import DENSE, KEEP, WITHOUT, Policy
from fastsam2_ros.lab.evaluation.ablation.report import write_json, write_markdown
from fastsam2_ros.lab.evaluation.ablation.store import Results

from .measurements import measurement

ABOUT = {"command": "fastsam2 ablate", "machine": "a machine", "untrained weights": False}
POLICIES = [
    Policy(DENSE, KEEP, "How much"),
    Policy("keep 0.3", KEEP, "How much"),
    Policy("without mask", WITHOUT, "Cues", against="keep 0.3"),
]
KEYS = {"dense": "1", "keep 0.3": "2", "without mask": "3"}


def table(*, without: tuple[float, ...]):
    """Rows of as many sequences as there are scores without a cue; with it the score is .5."""
    measurements = {
        f"w/{n}": {"1": measurement(0.6), "2": measurement(0.5, ratio=0.3), "3": measurement(score, ratio=0.3)}
        for n, score in enumerate(without)
    }
    return rows(POLICIES, KEYS, Results(dict.fromkeys(measurements, ("w",)), measurements))


def markdown(folder: Path, found, **about) -> str:
    write_markdown(folder / "r.md", "Title", {**ABOUT, **about}, found, ["w"], {"front.png": "the front"})
    return (folder / "r.md").read_text()


@pytest.mark.parametrize(
    ("without", "verdict"),
    [
        ((0.40, 0.41, 0.39), "earns its place"),
        ((0.60, 0.61, 0.59), "does harm"),
        ((0.40, 0.61, 0.49), "earns nothing that these sequences show"),
        ((0.5, 0.5), "changes nothing"),
        ((0.2,), "earns nothing that these sequences show"),
    ],
)
def test_what_is_said_of_a_cue_follows_from_the_standard_error(tmp_path: Path, without, verdict: str) -> None:
    (line,) = [line for line in markdown(tmp_path, table(without=without)).splitlines() if line.startswith("| mask |")]
    assert line.endswith(f"| {verdict} |")


def test_only_certain_differences_are_bold(tmp_path: Path) -> None:
    text = markdown(tmp_path, table(without=(0.40, 0.61, 0.49)))
    assert "| without mask | keep 0.3 | +0.000 ± 0.061 |" in text
    assert "**-0.100 ± 0.001**" in markdown(tmp_path, table(without=(0.401, 0.4, 0.399)))


def test_untrained_weights_are_told_at_the_top(tmp_path: Path) -> None:
    found = table(without=(0.4, 0.41))
    assert "mean nothing" not in markdown(tmp_path, found)
    assert "mean nothing" in markdown(tmp_path, found, **{"untrained weights": True}).split("\n\n")[1]


def test_command_machine_and_pictures_are_named(tmp_path: Path) -> None:
    text = markdown(tmp_path, table(without=(0.4, 0.41)))
    for part in ("`fastsam2 ablate`", "- machine: a machine", "![the front](front.png)", "## w: 2 sequences"):
        assert part in text


def test_json_has_null_where_there_is_no_number(tmp_path: Path) -> None:
    found = table(without=(0.4,))
    assert math.isnan(found[1].to_dense.error)
    write_json(tmp_path / "r.json", ABOUT, found)
    content = json.loads((tmp_path / "r.json").read_text())
    assert content["rows"][1]["to_dense"] == {
        "mean": pytest.approx(-0.1),
        "error": None,
        "count": 1,
        "verdict": "not told apart",
    }
    assert [policy["name"] for policy in content["policies"]] == ["dense", "keep 0.3", "without mask"]


def test_json_has_a_line_for_each_policy_and_row(tmp_path: Path) -> None:
    found = table(without=(0.4, 0.41))
    write_json(tmp_path / "r.json", ABOUT, found)
    lines = (tmp_path / "r.json").read_text().splitlines()
    assert sum(line.startswith('{"policy"') for line in lines) == len(found)
    assert sum(line.startswith('{"name"') for line in lines) == len(POLICIES)


def test_json_has_the_times_of_the_table_alone(tmp_path: Path) -> None:
    row = replace(table(without=(0.4, 0.41))[0], seconds={"encode": 1.0, "attend": 0.5, "step": 0.8})
    write_json(tmp_path / "r.json", ABOUT, [row])
    (written,) = json.loads((tmp_path / "r.json").read_text())["rows"]
    assert written["seconds"] == {"attend": 0.5, "step": 0.8}
