"""From the records of a run to a table, a JSON file and a Markdown file."""

from __future__ import annotations

import json
import math
import statistics as stats
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from rich import box
from rich.table import Table

from fastsam2_ros.lab.evaluation.metrics import Statistics, statistics
from fastsam2_ros.lab.evaluation.run import Record

ALL = "all"
COLUMNS = ("sequence", "method", "J&F", "J", "J rec", "J dec", "F", "F rec", "F dec", "keep", "ms")
"""Recall (share of frames above .5) and decay (first quarter less the last) as in DAVIS; ms: median of a step."""


@dataclass(frozen=True)
class Row:
    """One line of the table: one method over one sequence, one group, or all.

    Attributes:
        name: the sequence, the group, or `ALL`.
        method: its name.
        objects: how many were judged.
        j: means over the objects, as DAVIS has it, of their mean, recall and decay.
        f: as `j`.
        keep_ratio: mean share of tokens, (0, 1]; None for other methods than ours.
        seconds: median of a step; None for other methods than ours.
    """

    name: str
    method: str
    objects: int
    j: Statistics
    f: Statistics
    keep_ratio: float | None
    seconds: float | None

    @property
    def j_and_f(self) -> float:
        """The mean of J and F."""
        return (self.j.mean + self.f.mean) / 2

    def cells(self) -> tuple[str, ...]:
        """As text, one for each of `COLUMNS`."""
        scores = (self.j_and_f, self.j.mean, self.j.recall, self.j.decay, self.f.mean, self.f.recall, self.f.decay)
        keep = "" if self.keep_ratio is None else f"{self.keep_ratio:.0%}"
        time = "" if self.seconds is None else f"{self.seconds * 1e3:.0f}"
        # Adding 0 turns -0.000 into 0.000.
        texts = ("-" if math.isnan(score) else f"{round(score, 3) + 0:.3f}" for score in scores)
        return (self.name, self.method, *texts, keep, time)

    def plain(self) -> dict[str, Any]:
        """For JSON: NaN, which it lacks, becomes None."""
        values = {"name": self.name, "method": self.method, "objects": self.objects, "J&F": self.j_and_f}
        values |= {f"{letter}_{key}": value for letter in "jf" for key, value in asdict(getattr(self, letter)).items()}
        values |= {"keep_ratio": self.keep_ratio, "seconds": self.seconds}
        return {key: None if isinstance(value, float) and math.isnan(value) else value for key, value in values.items()}


@dataclass(frozen=True)
class Rates:
    """How often a description was answered rightly in the first frame, in one group or all.

    Attributes:
        name: the group, or `ALL`.
        found, sought: objects found (IoU above .5), of those that were there.
        refused, absent: descriptions answered by "not found", of those of nothing that was there.
    """

    name: str
    found: int
    sought: int
    refused: int
    absent: int

    def __str__(self) -> str:
        parts = []
        if self.sought:
            parts.append(
                f"found in the first frame (IoU > .5): {self.found} of {self.sought} ({self.found / self.sought:.0%})"
            )
        if self.absent:
            parts.append(
                f"'not found' where it is not there: {self.refused} of {self.absent} ({self.refused / self.absent:.0%})"
            )
        return f"{self.name}: {'; '.join(parts)}"


def sequence_rows(records: Iterable[Record]) -> list[Row]:
    """A row for each record."""
    return [_row(record["sequence"], [record]) for record in records]


def summary_rows(records: Sequence[Record]) -> list[Row]:
    """For each method a row of each group, where there are several, and one of all."""
    rows = []
    for name, members in _groups(records):
        for method in dict.fromkeys(record["method"] for record in members):
            rows.append(_row(name, [record for record in members if record["method"] == method]))
    return rows


def rates(records: Sequence[Record]) -> list[Rates]:
    """For each group, where there are several, and for all; nothing where no description was to be answered."""
    result = []
    for name, members in _groups(records):
        found = [
            each["found"] for record in members for each in record["objects"].values() if each["found"] is not None
        ]
        absent = [seen for record in members for seen in record["absent"].values()]
        if found or absent:
            result.append(Rates(name, sum(found), len(found), len(absent) - sum(absent), len(absent)))
    return result


def table(rows: Iterable[Row], title: str) -> Table:
    """For a terminal."""
    result = Table(title=title, box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0), pad_edge=False)
    for number, column in enumerate(COLUMNS):
        # Where a terminal is too narrow, names are folded and numbers stay whole.
        is_name = number < 2
        result.add_column(
            column,
            justify="left" if is_name else "right",
            no_wrap=not is_name,
            overflow="fold",
            min_width=6 if is_name else None,
        )
    for row in rows:
        result.add_row(*row.cells())
    return result


def write_json(file: Path, records: Sequence[Record], about: dict[str, Any]) -> None:
    """Everything: what was run, the summary, and every record with J and F of every frame."""
    content = {
        **about,
        "summary": [row.plain() for row in summary_rows(records)],
        "rates": [asdict(each) for each in rates(records)],
        "sequences": [row.plain() for row in sequence_rows(records)],
        "records": list(records),
    }
    file.write_text(json.dumps(content, indent=1, ensure_ascii=False, allow_nan=False, default=str) + "\n", "utf-8")


def write_markdown(file: Path, records: Sequence[Record], title: str, about: Sequence[str]) -> None:
    """Title, what was run, the summary, the rates and all sequences."""
    notes = [f"- {line}" for line in (*about, *map(str, rates(records)))]
    parts = [f"# {title}", "\n".join(notes), _markdown(summary_rows(records)), _markdown(sequence_rows(records))]
    file.write_text("\n\n".join(parts) + "\n", "utf-8")


def _markdown(rows: Iterable[Row]) -> str:
    lines = [COLUMNS, ("---", "---", *("---:" for _ in COLUMNS[2:])), *(row.cells() for row in rows)]
    return "\n".join(f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in line)} |" for line in lines)


def _groups(records: Sequence[Record]) -> list[tuple[str, list[Record]]]:
    names = sorted({record["group"] for record in records if record["group"]})
    parts = [(name, [record for record in records if record["group"] == name]) for name in names]
    return [*(parts if len(parts) > 1 else []), (ALL, list(records))]


def _row(name: str, records: Sequence[Record]) -> Row:
    objects = [scores for record in records for scores in record["objects"].values() if scores["frames"]]
    ratios = [value for record in records for value in record["keep_ratio"]]
    seconds = [value for record in records for value in record["seconds"]]
    return Row(
        name,
        records[0]["method"],
        len(objects),
        _mean([statistics(scores["J"]) for scores in objects]),
        _mean([statistics(scores["F"]) for scores in objects]),
        stats.fmean(ratios) if ratios else None,
        stats.median(seconds) if seconds else None,
    )


def _mean(parts: Sequence[Statistics]) -> Statistics:
    if not parts:
        return statistics([])
    return Statistics(
        stats.fmean(part.mean for part in parts),
        stats.fmean(part.recall for part in parts),
        stats.fmean(part.decay for part in parts),
    )
