"""The folder of results: Markdown, JSON, and the pictures that there is something to draw of."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np

from fastsam2_ros.config import UNTRAINED, TrackerConfig
from fastsam2_ros.lab.evaluation import bench
from fastsam2_ros.lab.evaluation.ablation import pictures, report
from fastsam2_ros.lab.evaluation.ablation.policies import ALONE, DEFAULT, DENSE, WITHOUT
from fastsam2_ros.lab.evaluation.ablation.store import file_digest
from fastsam2_ros.lab.evaluation.ablation.study import Study
from fastsam2_ros.lab.evaluation.command import differing
from fastsam2_ros.lab.evaluation.sequences import Dataset
from fastsam2_ros.streaming.loading import find_checkpoint, find_device


def about(
    config: TrackerConfig, datasets: Sequence[Dataset], study: Study, command: str, left_out: str
) -> dict[str, Any]:
    """What was run, on what, with which weights.

    Args:
        config: without the policies' settings.
        datasets: that were measured on.
        study: the results.
        command: words of the command line.
        left_out: what was not measured.
    """
    first = [next(iter(study.results.measurements[name].values())) for name in study.results.groups]
    lengths = [len(each.motion) for each in first]
    model = config.model
    weights = "untrained"
    if model.checkpoint != UNTRAINED:
        file = find_checkpoint(model)
        weights = f"{file.name}, SHA-256 {file_digest(file)}"
    return {
        "command": command,
        "date": date.today().isoformat(),
        "machine": bench.describe_machine(find_device(model.device)),
        "model": Path(model.name).name,
        "weights": weights,
        "settings": differing(config),
        "sequences": ", ".join(f"{len(dataset.names)} of {dataset.title}" for dataset in datasets),
        "frames": f"{sum(lengths)} in all, {statistics.median(lengths):g} in the median sequence; the first mask given",
        "policies": len(study.policies),
        "not measured": left_out,
        "untrained weights": any(
            each.untrained for done in study.results.measurements.values() for each in done.values()
        ),
    }


def write(out: Path, about: dict[str, Any], config: TrackerConfig, study: Study, heads: Sequence[str]) -> None:
    """Write everything into a folder that is there.

    Args:
        out: the folder.
        about: of `about`.
        config: without the policies' settings.
        study: the results.
        heads: titles of the data sets.
    """
    drawn = _draw(out, config, study, heads)
    report.write_json(out / "results.json", about, study.rows)
    title = f"Pruning policies, {about['model']}, {about['date']}"
    report.write_markdown(out / "results.md", title, about, study.rows, heads, drawn)


def liveliest(series: Mapping[str, Sequence[float]]) -> str:
    """The name of the series with the highest rise after a fall; among equals, of the fewest changes."""

    def life(name: str) -> tuple[float, int]:
        values = np.asarray(series[name])
        rise = float((values - np.minimum.accumulate(values)).max())
        return round(rise, 3), -int(np.count_nonzero(np.diff(values)))

    return max(series, key=life)


def _draw(out: Path, config: TrackerConfig, study: Study, heads: Sequence[str]) -> dict[str, str]:
    """Draw the pictures. Returns what each shows, by the file's name."""
    drawn = {}
    for number, head in enumerate(heads):
        rows = [row for row in study.rows if row.group == head]
        if not rows:
            continue
        # The first data set has the plain names.
        tail = f"-{head}" if number else ""
        pictures.front_picture(out / f"front{tail}.png", rows)
        drawn[f"front{tail}.png"] = f"J&F against cost, {head}"
        pictures.ratio_picture(out / f"keep_ratio{tail}.png", rows)
        drawn[f"keep_ratio{tail}.png"] = f"J&F against the mean keep ratio, {head}"
        if any(row.policy.family in (WITHOUT, ALONE) and row.to_other is not None for row in rows):
            pictures.cue_picture(out / f"cues{tail}.png", rows)
            drawn[f"cues{tail}.png"] = f"Each cue taken away, and alone, {head}"
    names = [name for name in (DEFAULT, f"fixed as {DEFAULT}", DENSE) if name in study.keys]
    if DEFAULT in names:
        # What goes beyond the ceiling is the target's size, not its motion.
        budgets = {each: study.measured(DEFAULT, each).keep_ratio for each in study.results.groups}
        ceiling = config.pruning.max_keep_ratio
        sequence = liveliest({each: [min(ceiling, ratio) for ratio in budget] for each, budget in budgets.items()})
        measured = {name: study.measured(name, sequence) for name in names}
        pictures.sequence_picture(out / "sequence.png", sequence, measured)
        drawn["sequence.png"] = f"Motion, budget and IoU over the sequence whose budget changes most, {sequence}"
    return drawn
