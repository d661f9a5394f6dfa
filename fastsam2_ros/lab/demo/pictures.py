"""The demo in pictures: videos of overlay and tokens, contact sheet, and a plot of motion and keep ratio."""

from __future__ import annotations

from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from rich.progress import Progress
from torchvision.utils import make_grid

from fastsam2_ros.bags.overlay_video import OverlayVideo
from fastsam2_ros.errors import BagError
from fastsam2_ros.images import RgbImage
from fastsam2_ros.lab.demo.footage import Footage
from fastsam2_ros.lab.demo.recording import Recording
from fastsam2_ros.lab.evaluation.metrics import contour_accuracy, region_similarity
from fastsam2_ros.pictures.overlay import UNTRAINED_NOTE, draw

_PICTURES, _COLUMNS, _WIDTH = 12, 4, 480
_STATES = {"SEARCHING": "#8a8a8a", "TRACKING": "#2a9d4a", "UNCERTAIN": "#e0a100", "LOST": "#c0392b"}


def draw_all(footage: Footage, recording: Recording, folder: Path, progress: Progress) -> list[tuple[float, float]]:
    """Make overlay.mp4, contact_sheet.png and tokens.mp4 of the recorded messages, on the frames of the same stamps.

    Returns:
        J and F of each frame whose truth is known (both 1 where nothing is there and nothing was found).

    Raises:
        BagError: a recorded stamp that no frame of the source has.
    """
    count = len(recording.frames)
    chosen = set(np.linspace(0, count - 1, min(_PICTURES, count)).round().astype(int).tolist())
    task = progress.add_task("drawing", total=count)
    scores: list[tuple[float, float]] = []
    pictures = []
    frames = footage.frames()
    with closing(OverlayVideo(folder / "overlay.mp4")) as video:
        for result in recording.results():
            # Both come by rising stamps; the frames in between were dropped.
            source = next((pair for pair in frames if pair[0].stamp_ns == result.stamp_ns), None)
            if source is None:
                raise BagError(f"The labels with stamp {result.stamp_ns} ns belong to no frame of {footage.path}.")
            frame, truth = source
            video.write(draw(frame.rgb, result), result.stamp_ns)
            if result.frame_index in chosen:
                # Without the times of the stages, for which a small picture has no room.
                picture = draw(frame.rgb, replace(result, stage_seconds={}))
                pictures.append(_cell(picture, (result.stamp_ns - footage.stamps_ns[0]) / 1e9, footage.size))
            if truth is not None:
                found = result.union_mask() > 0
                scores.append((region_similarity(truth, found), contour_accuracy(truth, found)))
            progress.advance(task)
    with closing(OverlayVideo(folder / "tokens.mp4")) as video:
        for stamp_ns, picture in recording.tokens():
            video.write(picture, stamp_ns)
    cells = torch.from_numpy(np.stack(pictures)).permute(0, 3, 1, 2)
    sheet = make_grid(cells, nrow=_COLUMNS, padding=0).permute(1, 2, 0).numpy()
    if not cv2.imwrite(str(folder / "contact_sheet.png"), sheet[..., ::-1]):
        raise BagError(f"{folder / 'contact_sheet.png'} cannot be written; is the disk full?")
    return scores


def plot(file: Path, summary: dict[str, Any]) -> None:
    """Motion and keep ratio over time, with the states, as a PNG."""
    frames = summary["frames"]
    start = frames[0]["stamp_ns"]
    times = [(frame["stamp_ns"] - start) / 1e9 for frame in frames]
    figure = Figure(figsize=(9, 5), layout="constrained")
    FigureCanvasAgg(figure)
    motion, keep = figure.subplots(2, 1, sharex=True)
    motion.plot(times, [frame["motion"] for frame in frames], color="#1f6fb2", marker=".", markersize=4)
    motion.set(ylabel="motion, diagonals/s")
    keep.plot(times, [frame["keep_ratio"] for frame in frames], color="#444444", linewidth=1)
    for state, colour in _STATES.items():
        points = [
            (time, frame["keep_ratio"]) for time, frame in zip(times, frames, strict=True) if frame["state"] == state
        ]
        if points:
            keep.scatter(*zip(*points, strict=True), s=16, color=colour, label=state.lower(), zorder=3)
    keep.set(xlabel="time, s", ylabel="keep ratio", ylim=(0, 1.05))
    keep.legend(loc="best", ncols=len(_STATES))
    for axes in (motion, keep):
        axes.grid(alpha=0.3)
    motion.set_ylim(bottom=0)
    figure.suptitle(f"'{summary['source']['description']}' with {summary['model']}")
    if summary["untrained"]:
        motion.set_title(UNTRAINED_NOTE, color="#be1414", fontsize="medium", fontweight="bold")
    figure.savefig(file, dpi=110)


def _cell(picture: RgbImage, seconds: float, size: tuple[int, int]) -> RgbImage:
    """A picture of the contact sheet, with its time. size: width and height that give it its shape."""
    cell = _WIDTH, max(1, round(size[1] * _WIDTH / size[0]))
    small = cv2.resize(picture, cell, interpolation=cv2.INTER_AREA if size[0] > _WIDTH else cv2.INTER_LINEAR)
    text, font = f"{seconds:.1f} s", cv2.FONT_HERSHEY_SIMPLEX
    (width, height), _ = cv2.getTextSize(text, font, 0.5, 1)
    corner = (_WIDTH - width - 6, height + 6)
    cv2.rectangle(small, (corner[0] - 6, 0), (_WIDTH, height + 12), (0, 0, 0), cv2.FILLED)
    cv2.putText(small, text, corner, font, 0.5, (255, 255, 255), 1, cv2.LINE_AA)
    return np.asarray(small, np.uint8)
