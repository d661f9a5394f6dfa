"""The curves of the report, as PNG files."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, NullLocator

from fastsam2_ros.lab.evaluation.ablation.comparison import Row, front
from fastsam2_ros.lab.evaluation.ablation.gain import speed_up
from fastsam2_ros.lab.evaluation.ablation.policies import DEFAULT, DENSE, KEEP

_COLOURS = (
    "#1b6ca8",
    "#d1495b",
    "#edae49",
    "#3f8f5b",
    "#7d5ba6",
    "#00a6a6",
    "#8c564b",
    "#e377c2",
    "#7f7f7f",
    "#b5bd00",
    "#17408b",
    "#ff7f0e",
)
_MARKERS = "osD^vP<X>hp"
"""One fewer than the colours, so that no two of many families look the same."""
_INK, _FAINT = "#222222", "#9a9a9a"
_LEAST_POINTS = 3
"""Of a family that is drawn as a curve."""


def front_picture(file: Path, rows: Sequence[Row]) -> None:
    """J&F against the cost of memory attention, every policy a point; the front, and the default, are marked.

    Args:
        file: PNG to write.
        rows: of one group of sequences.
    """
    figure, axes = _figure((11.5, 6.8))
    for number, (family, members) in enumerate(_families(rows).items()):
        axes.scatter(
            [row.cost for row in members],
            [row.j_and_f for row in members],
            s=46,
            color=_colour(number),
            marker=_MARKERS[number % len(_MARKERS)],
            edgecolor="white",
            linewidth=0.7,
            label=family,
            zorder=3,
        )
    best = [rows[index] for index in front([(row.cost, row.j_and_f) for row in rows])]
    axes.plot(
        [row.cost for row in best],
        [row.j_and_f for row in best],
        color=_INK,
        linewidth=1.3,
        drawstyle="steps-post",
        label="front",
        zorder=2,
    )
    for row in best:
        if row.policy.name != DEFAULT:  # the legend names that one
            axes.annotate(
                row.policy.name,
                (row.cost, row.j_and_f),
                xytext=(0, 6),
                textcoords="offset points",
                fontsize=7,
                color=_INK,
                rotation=50,  # neighbours on the front stay apart
                rotation_mode="anchor",
            )
    for row in rows:
        if row.policy.name == DEFAULT:
            axes.scatter(
                row.cost,
                row.j_and_f,
                s=330,
                marker="*",
                facecolor="none",
                edgecolor=_INK,
                label="the default",
                zorder=4,
            )
        if row.policy.name == DENSE:
            axes.axhline(row.j_and_f, color=_FAINT, linestyle="--", linewidth=1, label="dense")
    _cost_axis(axes)
    axes.set_ylabel("J&F")
    axes.margins(y=0.2)
    _title(axes, "Quality against the cost of memory attention", rows)
    axes.legend(loc="center left", bbox_to_anchor=(1.01, 0.5), fontsize=8, frameon=False)
    figure.savefig(file, dpi=140)


def ratio_picture(file: Path, rows: Sequence[Row]) -> None:
    """J&F against the mean keep ratio; a curve for each family of at least three ratios.

    Args:
        file: PNG to write.
        rows: of one group of sequences.
    """
    figure, axes = _figure((10.5, 6))
    dense = [row for row in rows if row.policy.name == DENSE]
    number = 0
    for family, members in _families(rows).items():
        if len({round(row.keep_ratio, 3) for row in members}) < _LEAST_POINTS:
            continue
        # With everything kept, all of them are the dense policy.
        line = sorted({(row.keep_ratio, row.j_and_f) for row in [*members, *dense]})
        width = 2.6 if family == KEEP else 1.3
        axes.plot(
            [x for x, _ in line],
            [y for _, y in line],
            marker="o",
            markersize=4,
            color=_colour(number),
            label=family,
            linewidth=width,
        )
        number += 1
    axes.set(xlabel="mean keep ratio", ylabel="J&F")
    axes.set_xlim(left=0)
    _title(axes, "Quality against how much is kept", rows)
    if number:
        axes.legend(loc="center left", bbox_to_anchor=(1.01, 0.5), fontsize=8, frameon=False)
    figure.savefig(file, dpi=140)


def _figure(size: tuple[float, float]) -> tuple[Figure, Axes]:
    figure = Figure(figsize=size, layout="constrained", facecolor="white")
    FigureCanvasAgg(figure)
    axes = figure.subplots()
    axes.spines[["top", "right"]].set_visible(False)
    axes.spines[["left", "bottom"]].set_color(_FAINT)
    axes.tick_params(colors=_INK, labelsize=8)
    axes.grid(color="#e6e6e6", linewidth=0.8)
    axes.set_axisbelow(True)
    return figure, axes


def _cost_axis(axes: Axes) -> None:
    """Share of the dense FLOPs, logarithmic; above it how much faster `tiny` then is."""
    axes.set_xscale("log")
    low, high = axes.get_xlim()
    ticks = [tick for tick in (0.01, 0.02, 0.05, 0.1, 0.2, 0.3, 0.5, 0.7, 1.0) if low <= tick <= high]
    axes.xaxis.set_minor_locator(NullLocator())
    axes.set_xticks(ticks, [f"{tick:g}" for tick in ticks])
    axes.set_xlabel("FLOPs of memory attention, share of dense (at the sizes of tiny)")
    above = axes.twiny()
    above.set_xscale("log")
    above.set_xlim(low, high)
    above.xaxis.set_minor_locator(NullLocator())
    above.set_xticks(ticks)
    above.xaxis.set_major_formatter(FuncFormatter(lambda share, _: f"x{speed_up('tiny', share):.2f}"))
    above.set_xlabel("a whole step of tiny with one target, times as fast (by FLOPs)", fontsize=8)
    above.tick_params(colors=_INK, labelsize=8)
    above.spines[["right", "top"]].set_visible(False)


def _title(axes: Axes, text: str, rows: Sequence[Row]) -> None:
    about = f"{text} - {rows[0].group}, {rows[0].sequences} sequences"
    axes.set_title(about, fontsize=11, loc="left", color=_INK)


def _families(rows: Sequence[Row]) -> dict[str, list[Row]]:
    families: dict[str, list[Row]] = {}
    for row in rows:
        families.setdefault(row.policy.family, []).append(row)
    return families


def _colour(number: int) -> str:
    return _COLOURS[number % len(_COLOURS)]
