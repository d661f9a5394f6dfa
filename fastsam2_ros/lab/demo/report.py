"""The demo in numbers: a summary for programs, a table for people."""

from __future__ import annotations

import statistics
from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np
from rich.table import Table

from fastsam2_ros.lab.demo.footage import Footage
from fastsam2_ros.lab.demo.recording import Recording
from fastsam2_ros.pictures.overlay import UNTRAINED_NOTE
from fastsam2_ros.results import TrackState

_DONE = 1e-4
"""Seconds below which a stage had nothing to do: most frames are not searched."""


def summarise(footage: Footage, recording: Recording, scores: Sequence[tuple[float, float]]) -> dict[str, Any]:
    """Everything that is known, as plain data. Times are seconds, rates Hz.

    Args:
        footage: what was replayed.
        recording: what came of it.
        scores: J and F of the frames whose truth is known.
    """
    last, frames = recording.last, recording.frames
    untrained = any(frame.status.untrained for frame in frames)
    on_graph = [frame.seconds_on_graph for frame in frames if frame.seconds_on_graph is not None]
    return {
        "untrained": untrained,
        "source": {
            "origin": footage.origin,
            "description": footage.description,
            "frames": len(footage.stamps_ns),
            "size": list(footage.size),
            "rate": footage.rate,
        },
        "model": last.model,
        "device": last.device,
        "received": int(last.received),
        "processed": int(last.processed),
        "dropped": int(last.dropped),
        "output_rate": recording.output_rate,
        "keep_ratio": _spread([frame.status.keep_ratio for frame in frames]),
        "motion": _spread([frame.status.motion for frame in frames]),
        "processing_time": _quantiles([frame.status.processing_time for frame in frames]),
        "image_to_tracks": _quantiles(on_graph),
        "stages": _stages(recording),
        "states": dict(Counter(TrackState(frame.status.state).name for frame in frames)),
        # A random mask's overlap would only be mistaken for a result.
        "j_and_f": None
        if untrained or not scores
        else [statistics.fmean(values) for values in zip(*scores, strict=True)],
        "frames": [
            {
                "stamp_ns": frame.stamp_ns,
                "state": TrackState(frame.status.state).name,
                "motion": float(frame.status.motion),
                "keep_ratio": float(frame.status.keep_ratio),
                "processing_time": float(frame.status.processing_time),
            }
            for frame in frames
        ],
    }


def table(summary: dict[str, Any]) -> Table:
    """The summary to be printed."""
    source, keep, motion = summary["source"], summary["keep_ratio"], summary["motion"]
    view = Table(
        title=f"'{source['description']}' in {source['origin']}",
        caption=UNTRAINED_NOTE if summary["untrained"] else None,
        caption_style="bold red",
        show_header=False,
    )
    view.add_column(style="bold")
    view.add_column()
    width, height = source["size"]
    lost = source["frames"] - summary["received"]
    view.add_row("source", f"{source['frames']} frames, {width} x {height}, {source['rate']:.1f} Hz")
    view.add_row("model", f"{summary['model']} on {summary['device']}")
    view.add_row("received", f"{summary['received']}" + (f" ({lost} lost on the way)" if lost > 0 else ""))
    view.add_row("processed", f"{summary['processed']}, {summary['output_rate']:.1f} Hz")
    view.add_row("dropped", f"{summary['dropped']} (passed over for a newer one)")
    view.add_row("keep ratio", f"{keep['min']:.2f} to {keep['max']:.2f}, median {keep['median']:.2f}")
    view.add_row("motion", f"{motion['min']:.2f} to {motion['max']:.2f}, median {motion['median']:.2f} diagonals/s")
    view.add_row("processing time", _milliseconds(summary["processing_time"]))
    view.add_row("image to tracks", _milliseconds(summary["image_to_tracks"]))
    stages = [f"{name} {1e3 * seconds:.0f}" for name, seconds in summary["stages"].items()]
    view.add_row("stages, median ms", ", ".join(stages))
    view.add_row("states, frames", ", ".join(f"{name.lower()} {count}" for name, count in summary["states"].items()))
    if summary["j_and_f"] is not None:
        j, f = summary["j_and_f"]
        view.add_row("J&F, found by its text", f"{(j + f) / 2:.3f} (J {j:.3f}, F {f:.3f})")
    return view


def _stages(recording: Recording) -> dict[str, float]:
    """Median seconds of each stage, over the frames in which it had something to do."""
    seconds: dict[str, list[float]] = {}
    for frame in recording.frames:
        for name, value in zip(frame.status.stages, frame.status.stage_seconds, strict=True):
            if value > _DONE:
                seconds.setdefault(name, []).append(float(value))
    return {name: statistics.median(values) for name, values in seconds.items()}


def _spread(values: Sequence[float]) -> dict[str, float]:
    return {"min": float(min(values)), "median": float(statistics.median(values)), "max": float(max(values))}


def _quantiles(values: Sequence[float]) -> dict[str, float] | None:
    if not values:
        return None
    return {"median": float(np.quantile(values, 0.5)), "p95": float(np.quantile(values, 0.95))}


def _milliseconds(quantiles: dict[str, float] | None) -> str:
    if quantiles is None:
        return "not known"
    return f"median {1e3 * quantiles['median']:.0f} ms, 95 % within {1e3 * quantiles['p95']:.0f} ms"
