"""The benchmark's table: for the terminal, and as a page."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from datetime import date
from typing import Any

from rich.table import Table

from fastsam2_ros.lab.evaluation.bench_scene import SIZE
from fastsam2_ros.lab.evaluation.bench_steps import UPSTREAM, Setting, Timing
from fastsam2_ros.streaming import cpu_features

STAGES = ("encode", "motion", "route", "attend", "decode", "remember", "resize")
_SHORT = ("enc", "mot", "route", "att", "dec", "mem", "size")
"""`STAGES` as the terminal's table heads them."""
HEADER = ["model", "precision", "targets", "variant", *STAGES, "step", "of upstream", "peak MB"]


def rows(timings: Sequence[Timing]) -> list[list[str]]:
    """The table's cells: times in ms, and each step as a share of upstream's of the same model, precision and targets."""
    upstream = {_key(t.setting): t.step for t in timings if t.setting.variant == UPSTREAM}
    cells = []
    for timing in timings:
        setting = timing.setting
        stages = [_milliseconds(timing.stages[stage]) if stage in timing.stages else "" for stage in STAGES]
        ratio = f"{timing.step / upstream[_key(setting)]:.2f}"
        what = (setting.model, setting.precision, str(setting.targets), _name(setting))
        peak = f"{timing.peak_bytes / (1 << 20):.0f}" if timing.peak_bytes else ""
        cells.append([*what, *stages, _milliseconds(timing.step), ratio, peak])
    return cells


def _name(setting: Setting) -> str:
    if setting.variant == UPSTREAM or setting.vos_optimized:
        return setting.variant
    parts = [f"keep {setting.keep_ratio:g}" if setting.keep_ratio else "budget"]
    parts += [f"{setting.image_size} px"] if setting.image_size else []
    parts += [setting.backend] if setting.backend != "auto" else []
    parts += ["still"] if setting.max_skip else []
    return f"{setting.variant}, {', '.join(parts)}"


def _key(setting: Setting) -> tuple[Any, ...]:
    return setting.model, setting.precision, setting.targets


def result_tables(timings: Sequence[Timing], clock: str) -> list[Table]:
    """For the terminal, readable in 80 columns: one for each model, precision and number of targets."""
    tables = []
    for (model, precision, targets), group in itertools.groupby(rows(timings), lambda cells: cells[:3]):
        title = f"{model}, {precision}, targets: {targets}. Mean ms per frame, {clock} time"
        table = Table(title=title, padding=(0, 0), pad_edge=False)
        table.add_column("variant")
        for name in (*_SHORT, "step", "share", "MB"):
            table.add_column(name, justify="right", no_wrap=True)
        for cells in group:
            table.add_row(*cells[3:])
        tables.append(table)
    return tables


def _milliseconds(seconds: float) -> str:
    return f"{seconds * 1e3:.{0 if seconds >= 1 else 1}f}"


def markdown(timings: Sequence[Timing], command: str, machine: str, clock: str, node: Sequence[str] = ()) -> str:
    """The page that goes into the repository.

    Args:
        timings: in the order of the rows.
        command: what was called.
        machine: that it ran on.
        clock: wall or cpu.
        node: what is said of the node.
    """
    lines = [
        f"# Time of a step, {date.today().isoformat()}",
        "",
        f"`{command}` on {machine}.",
        "",
        f"Mean ms per frame of {SIZE[1]}x{SIZE[0]}, in {clock} time; memory full, variants frame by frame in turn.",
        "Upstream is the step of `SAM2VideoPredictor`: encoder once per frame, everything else target by",
        "target. `peak MB` is the most memory of a process that ran this variant alone: resident on a CPU, allocated on a GPU.",
        "Precision auto on a CPU: fp32, but for OpenVINO's image encoder, which computes in bf16 where the CPU has it: "
        + ("this one has." if cpu_features.openvino_has_bf16() else "this one has not."),
        "",
        "| " + " | ".join(HEADER) + " |",
        "|" + " --- |" * len(HEADER),
    ]
    lines += ["| " + " | ".join(cells) + " |" for cells in rows(timings)]
    lines += ["", *node] if node else []
    return "\n".join(lines) + "\n"
