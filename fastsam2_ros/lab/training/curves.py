"""The course of a training as a picture."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

VALIDATION = "val "
"""Names of validation figures begin so."""
_OTHER = {"step", "seconds", "phase"}
_SMOOTHED_TO = 200


def draw(log: Sequence[dict[str, Any]], path: Path) -> None:
    """Losses (smoothed, logarithmic) on the left and validation figures on the right, against minutes, as PNG.

    Args:
        log: rows with `step`, `seconds`, `phase`, and named numbers.
        path: of the picture.
    """
    from matplotlib import colormaps
    from matplotlib.figure import Figure

    if not log:
        return
    figure = Figure(figsize=(12, 4.5), layout="constrained")
    left, right = figure.subplots(1, 2)
    left.set_prop_cycle(color=colormaps["tab20"](range(20)))
    names = dict.fromkeys(name for row in log for name in row if name not in _OTHER and not name.startswith(VALIDATION))
    for name in names:
        rows = [row for row in log if name in row]
        minutes, values = (np.array([row[key] for row in rows], np.float64) for key in ("seconds", name))
        left.plot(_smooth(minutes / 60), _smooth(values), label=name)
    for previous, row in pairwise(log):
        if previous["phase"] != row["phase"]:
            for axes in (left, right):
                axes.axvline(row["seconds"] / 60, color="0.8", linewidth=1)
            place = row["seconds"] / 60, 0.99
            left.text(*place, row["phase"], transform=left.get_xaxis_transform(), fontsize=7, rotation=90, va="top")
    left.set(yscale="log", xlabel="minutes", title="training")
    left.legend(fontsize=8)
    measured = [row for row in log if any(name.startswith(VALIDATION) for name in row)]
    for name in dict.fromkeys(key for row in measured for key in row if key.startswith(VALIDATION)):
        rows = [row for row in measured if name in row]
        times = [row["seconds"] / 60 for row in rows]
        right.plot(times, [row[name] for row in rows], marker="o", label=name.removeprefix(VALIDATION))
    right.set(ylim=(0, 1), xlabel="minutes", title="held-out, averaged weights")
    if measured:
        right.legend(fontsize=8)
    figure.savefig(path, dpi=110)


def _smooth(values: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Means of so many stretches of equal length."""
    return np.array([part.mean() for part in np.array_split(values, min(len(values), _SMOOTHED_TO))])
