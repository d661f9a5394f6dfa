"""The folder of results: Markdown, JSON, and the pictures that there is something to draw of."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from datetime import date
from pathlib import Path
from typing import Any

from fastsam2_ros.config import UNTRAINED, TrackerConfig
from fastsam2_ros.lab.evaluation import bench
from fastsam2_ros.lab.evaluation.ablation import pictures, report
from fastsam2_ros.lab.evaluation.ablation.store import file_digest
from fastsam2_ros.lab.evaluation.ablation.study import Study
from fastsam2_ros.lab.evaluation.command import differing
from fastsam2_ros.lab.evaluation.sequences import Dataset
from fastsam2_ros.streaming.checkpoints import find_checkpoint
from fastsam2_ros.streaming.loading import find_device


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


def write(out: Path, about: dict[str, Any], study: Study, heads: Sequence[str]) -> None:
    """Write everything into a folder that is there.

    Args:
        out: the folder.
        about: of `about`.
        study: the results.
        heads: titles of the data sets.
    """
    drawn = _draw(out, study, heads)
    report.write_json(out / "results.json", about, study.rows)
    title = f"Pruning policies, {about['model']}, {about['date']}"
    report.write_markdown(out / "results.md", title, about, study.rows, heads, drawn)


def _draw(out: Path, study: Study, heads: Sequence[str]) -> dict[str, str]:
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
    return drawn
