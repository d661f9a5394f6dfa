from __future__ import annotations

import io
import json
import math
from pathlib import Path

import pytest
from rich.console import Console

from fastsam2_ros.lab.evaluation.report import (
    COLUMNS,
    rates,
    sequence_rows,
    summary_rows,
    table,
    write_json,
    write_markdown,
)


def scores(j: list[float], found: bool | None = None) -> dict:
    return {"description": "", "frames": list(range(1, 1 + len(j))), "J": j, "F": [v / 2 for v in j], "found": found}


def record(
    sequence: str, objects: list[dict], *, method: str = "ours", group: str = "", absent: dict | None = None
) -> dict:
    ours = method == "ours"
    return {
        "sequence": sequence,
        "group": group,
        "method": method,
        "untrained": False,
        "objects": {str(number + 1): each for number, each in enumerate(objects)},
        "absent": absent or {},
        "keep_ratio": [0.5, 1.0] if ours else [],
        "tokens": [8, 16] if ours else [],
        "tokens_total": 16 if ours else 0,
        "motion": [0.0, 0.0] if ours else [],
        "seconds": [0.1, 0.3, 0.2] if ours else [],
    }


RECORDS = [
    record("a", [scores([1.0, 0.8]), scores([0.0, 0.0])], group="level 1"),
    record("a", [scores([0.5, 0.5]), scores([0.5, 0.5])], group="level 1", method="first mask"),
    record("b", [scores([0.6])], group="level 2"),
    record("b", [scores([])], group="level 2", method="first mask"),
]


def test_a_sequences_row_is_the_mean_over_its_objects() -> None:
    row = sequence_rows(RECORDS)[0]
    assert (row.name, row.method, row.objects) == ("a", "ours", 2)
    assert row.j.mean == pytest.approx(0.45)
    assert row.f.mean == pytest.approx(0.225)
    assert row.j_and_f == pytest.approx((0.45 + 0.225) / 2)
    assert row.j.recall == 0.5


def test_the_mean_of_all_is_over_objects_not_sequences() -> None:
    row = next(row for row in summary_rows(RECORDS) if (row.name, row.method) == ("all", "ours"))
    assert row.objects == 3
    assert row.j.mean == pytest.approx((0.9 + 0.0 + 0.6) / 3)


def test_each_group_has_its_own_rows_by_method() -> None:
    names = [(row.name, row.method) for row in summary_rows(RECORDS)]
    assert names == [(name, method) for name in ("level 1", "level 2", "all") for method in ("ours", "first mask")]


def test_one_group_is_not_told_twice() -> None:
    assert [row.name for row in summary_rows(RECORDS[:2])] == ["all", "all"]


def test_keep_ratio_and_time_are_our_own() -> None:
    ours, other = sequence_rows(RECORDS)[:2]
    assert (ours.keep_ratio, ours.seconds) == (0.75, 0.2)
    assert (other.keep_ratio, other.seconds) == (None, None)
    assert ours.cells()[-2:] == ("75%", "200")
    assert other.cells()[-2:] == ("", "")


def test_where_nothing_was_judged_there_is_no_number() -> None:
    row = sequence_rows(RECORDS)[3]
    assert math.isnan(row.j_and_f)
    assert set(row.cells()[2:9]) == {"-"}
    assert row.plain()["J&F"] is None


def test_a_rounded_nothing_has_no_sign() -> None:
    row = sequence_rows([record("a", [scores([0.1, 0.1001])])])[0]
    assert row.j.decay < 0
    assert row.cells()[COLUMNS.index("J dec")] == "0.000"


FOUND = [
    record("a", [scores([1.0], found=True)], group="level 1", absent={"mug": False, "key": True}),
    record("b", [scores([1.0], found=False)], group="level 2", absent={"duck": False}),
    record("c", [scores([1.0], found=None)], group="level 2"),
]


def test_rates_count_what_was_found_and_what_was_refused() -> None:
    all_of_them = rates(FOUND)[-1]
    assert (all_of_them.found, all_of_them.sought, all_of_them.refused, all_of_them.absent) == (1, 2, 2, 3)
    assert "1 of 2 (50%)" in str(all_of_them)
    assert "2 of 3 (67%)" in str(all_of_them)
    assert [each.name for each in rates(FOUND)] == ["level 1", "level 2", "all"]


def test_there_are_no_rates_where_nothing_was_searched() -> None:
    assert rates(RECORDS) == []


def test_the_table_fits_80_columns_with_whole_numbers() -> None:
    console = Console(width=80, file=io.StringIO())
    console.print(table(sequence_rows([record("1000000-level-1", [scores([1.0, 0.8])])]), "title"))
    lines = console.file.getvalue().splitlines()
    assert max(map(len, lines)) <= 80
    assert any("0.675  0.900  1.000" in line for line in lines)


def test_json_has_summary_and_every_frame(tmp_path: Path) -> None:
    write_json(tmp_path / "r.json", RECORDS, {"mode": "first-mask", "folder": tmp_path})
    content = json.loads((tmp_path / "r.json").read_text())
    assert content["mode"] == "first-mask"
    assert content["summary"][-2]["j_mean"] == pytest.approx(0.5)
    assert content["records"][0]["objects"]["1"]["J"] == [1.0, 0.8]
    assert content["sequences"][3]["J&F"] is None


def test_markdown_has_both_tables_and_the_rates(tmp_path: Path) -> None:
    write_markdown(tmp_path / "r.md", [record("a|b", [scores([0.5])]), *FOUND], "title", ["mode: description"])
    text = (tmp_path / "r.md").read_text()
    assert text.startswith("# title\n\n- mode: description\n- level 1: found")
    assert text.count("| sequence | method |") == 2
    assert r"| a\|b | ours | 0.375 | 0.500 |" in text
