"""The table of the policies as Markdown and JSON. What it says of differences follows from their standard errors alone."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from fastsam2_ros.lab.evaluation.ablation.comparison import CERTAIN, Row
from fastsam2_ros.lab.evaluation.ablation.measure import STEP
from fastsam2_ros.lab.evaluation.ablation.policies import ADDED_WEIGHT, ALONE, DENSE, NOMINAL, WITHOUT, kept

COLUMNS = (
    "policy",
    "J&F",
    "to dense",
    "to its pair",
    "keep",
    "queries",
    "keys",
    "FLOPs",
    "tiny",
    "base_plus",
    "attend",
    "step",
    "memory, kB",
)
TIMED = ("attend", STEP)
"""Stages whose time is in the table."""
DIGITS = 5
"""Decimals in the JSON: two more than a standard error has that means something."""
_APART = ("command", "untrained weights")
"""Of what was run: said in sentences of their own."""
_EARNED = {
    "worse": "earns its place",
    "better": "does harm",
    "equal": "changes nothing",
    "not told apart": "earns nothing that these sequences show",
}
_LEGEND = f"""- J&F: mean over sequences of the mean of J and F (`davis2017-evaluation`'s measures), first mask given.
- to dense, to its pair: difference of J&F to the dense policy, and to the policy it is paired with (in the section on
  pairs), on the same sequences, ± its standard error. **Bold**: at least {CERTAIN:g} standard errors from 0.
- keep: mean keep ratio. queries, keys: tokens of the frame and of memory in memory attention, as shares of dense.
- FLOPs: of memory attention at the sizes of `tiny`, as a share of dense; tiny, base_plus: how much faster a whole step with
  one target then is, by FLOPs.
- attend, step: median time of memory attention and of the whole step, as a share of the dense policy's, which stepped
  through the same frames in turn.
- memory: most that the memory of one target takes."""


def write_json(file: Path, about: Mapping[str, Any], rows: Sequence[Row]) -> None:
    """The table, a line for each policy and each row. What is known of single sequences is in the files of the runs.

    Args:
        file: to write.
        about: what was run.
        rows: all.
    """
    policies = {row.policy.name: row.policy for row in rows}
    parts = [
        f'"about": {_json(about)}',
        f'"policies": [\n{_json_lines(asdict(policy) for policy in policies.values())}\n]',
        f'"rows": [\n{_json_lines(_plain(row) for row in rows)}\n]',
    ]
    file.write_text("{\n" + ",\n".join(parts) + "\n}\n", "utf-8")


def write_markdown(
    file: Path,
    title: str,
    about: Mapping[str, Any],
    rows: Sequence[Row],
    heads: Sequence[str],
    pictures: Mapping[str, str],
) -> None:
    """The report.

    Args:
        file: to write; the pictures lie beside it.
        title: its heading.
        about: what was run; "untrained" is said at the top.
        rows: all.
        heads: the groups of sequences that are whole data sets.
        pictures: what each shows, by the file's name.
    """
    parts = [f"# {title}"]
    if about["untrained weights"]:
        parts.append("**Untrained weights: of J, F and all that follows from them, these figures mean nothing.**")
    parts.append("\n".join(f"- {name}: {value}" for name, value in about.items() if name not in _APART))
    parts.append(f"Made by `{about['command']}`.")
    parts += [f"![{text}]({name})" for name, text in pictures.items()]
    parts.append(f"## What the columns say\n\n{_LEGEND}")
    groups = list(dict.fromkeys(row.group for row in rows))
    by_group = {group: [row for row in rows if row.group == group] for group in groups}
    parts += [
        f"## {group}: {_count(by_group[group])}\n\n{_table(by_group[group])}" for group in heads if group in groups
    ]
    parts += _cues(by_group, heads)
    parts += _pairs(by_group)
    for group in groups:
        if group not in heads:
            heading = f"<summary>{group}: {_count(by_group[group])}</summary>"
            parts.append(f"<details>{heading}\n\n{_table(by_group[group])}\n\n</details>")
    file.write_text("\n\n".join(part for part in parts if part) + "\n", "utf-8")


def cells(row: Row) -> tuple[str, ...]:
    """As text, one for each of `COLUMNS`."""
    speeds = row.speed_ups
    return (
        row.policy.name,
        f"{row.j_and_f:.3f}",
        "" if row.policy.name == DENSE else difference(row.to_dense),
        difference(row.to_other),
        f"{row.keep_ratio:.3f}",
        f"{row.queries:.3f}",
        f"{row.keys:.3f}",
        f"{row.cost:.3f}",
        *(f"x{speeds[model]:.2f}" for model in COLUMNS[8:10]),
        *(f"{row.seconds.get(stage, math.nan):.2f}" for stage in TIMED),
        f"{row.memory_bytes / 1024:.0f}",
    )


def difference(each: Any) -> str:
    """A `Difference` as text, bold where it is one; empty for None."""
    if each is None:
        return ""
    return f"**{each}**" if each.verdict in ("better", "worse") else str(each)


def _table(rows: Sequence[Row]) -> str:
    """With a line for each question that policies answer."""
    lines = [COLUMNS, ("---", *("---:" for _ in COLUMNS[1:]))]
    for question in dict.fromkeys(row.policy.group for row in rows):
        lines.append((f"**{question}**", *("" for _ in COLUMNS[1:])))
        lines += [cells(row) for row in rows if row.policy.group == question]
    return _lines(lines)


def _cues(by_group: Mapping[str, Sequence[Row]], heads: Sequence[str]) -> Iterator[str]:
    """What each cue is worth, on every data set: what happens without it decides."""
    for group in heads:
        members = by_group.get(group, ())
        alone = {row.policy.name: row for row in members if row.policy.family == ALONE}
        lines: list[Sequence[str]] = []
        for row in members:
            if row.policy.family == WITHOUT and row.to_other is not None:
                cue = row.policy.name.removeprefix("without ")
                other = alone.get(f"{cue} alone")
                verdict = _EARNED[row.to_other.verdict]
                lines.append((cue, difference(row.to_other), difference(other.to_other if other else None), verdict))
        if lines:
            head = [("cue", "taken away", "alone", "so it"), ("---", "---:", "---:", "---")]
            text = (
                "Differences of J&F, ± standard error: taken away, to the same with the cue (one that is off by default: "
                f"added at a weight of {ADDED_WEIGHT:g}); alone, to all cues ({kept(NOMINAL)})."
            )
            yield f"## Cues, {group}\n\n{text}\n\n{_lines([*head, *lines])}"


def _pairs(by_group: Mapping[str, Sequence[Row]]) -> Iterator[str]:
    """Every policy beside the one that it is paired with, on every group of sequences."""
    first = next(iter(by_group.values()), [])
    paired = [row.policy for row in first if row.to_other is not None and row.policy.against]
    if not paired:
        return
    lines: list[Sequence[str]] = [("policy", "paired with", *by_group), ("---", "---", *("---:" for _ in by_group))]
    for policy in paired:
        found = [next(row for row in rows if row.policy.name == policy.name) for rows in by_group.values()]
        lines.append((policy.name, policy.against, *(difference(row.to_other) for row in found)))
    yield f"## Pairs\n\nJ&F less that of the policy it is paired with, ± standard error.\n\n{_lines(lines)}"


def _lines(lines: Sequence[Sequence[str]]) -> str:
    return "\n".join(f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in line)} |" for line in lines)


def _count(rows: Sequence[Row]) -> str:
    return f"{rows[0].sequences} sequences"


def _plain(row: Row) -> dict[str, Any]:
    values = {**asdict(row), "policy": row.policy.name, "j_and_f": row.j_and_f, "speed_ups": row.speed_ups}
    values["seconds"] = {stage: row.seconds[stage] for stage in TIMED if stage in row.seconds}
    for name in ("to_dense", "to_other"):
        each = getattr(row, name)
        if each is not None:
            values[name]["verdict"] = each.verdict
    return values


def _json_lines(values: Iterable[Mapping[str, Any]]) -> str:
    return ",\n".join(map(_json, values))


def _json(value: Any) -> str:
    return json.dumps(_rounded(value), allow_nan=False)


def _rounded(value: Any) -> Any:
    """To `DIGITS`. JSON has no NaN: it becomes null."""
    if isinstance(value, Mapping):
        return {name: _rounded(each) for name, each in value.items()}
    if isinstance(value, (list, tuple)):
        return [_rounded(each) for each in value]
    if isinstance(value, float):
        return None if math.isnan(value) else round(value, DIGITS)
    return value
