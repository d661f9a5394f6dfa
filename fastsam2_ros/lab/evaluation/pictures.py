"""What a run looked like: plots, and videos of the sequences that went best and worst."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from fastsam2_ros.bags.overlay_video import OverlayVideo
from fastsam2_ros.images import RgbImage
from fastsam2_ros.lab.evaluation.labels import Labels, read_labels
from fastsam2_ros.lab.evaluation.report import sequence_rows
from fastsam2_ros.lab.evaluation.run import Job, Record
from fastsam2_ros.lab.evaluation.sequences import VideoSequence
from fastsam2_ros.pictures.overlay import draw
from fastsam2_ros.results import TrackedObject, TrackResult, TrackState

_TIME_BINS = 20
_TRUTH = (255, 255, 255)


def plot(file: Path, records: Sequence[Record]) -> None:
    """Two panels as a PNG: J&F of every sequence by method, and mean J&F over the time of the sequences."""
    rows = sequence_rows(records)
    names = list(dict.fromkeys(row.name for row in rows))
    methods = list(dict.fromkeys(row.method for row in rows))
    figure = Figure(figsize=(min(40.0, max(8.0, 3 + 0.35 * len(names))), 8), layout="constrained")
    FigureCanvasAgg(figure)
    bars, curves = figure.subplots(2, 1)
    width = 0.8 / len(methods)
    for number, method in enumerate(methods):
        places = [names.index(row.name) + (number + 0.5) * width - 0.4 for row in rows if row.method == method]
        bars.bar(places, [row.j_and_f for row in rows if row.method == method], width, label=method)
        curves.plot(*_over_time([record for record in records if record["method"] == method]), label=method)
    bars.set_xticks(range(len(names)), names, rotation=90 if len(names) > 8 else 0)
    bars.set(ylabel="J&F", ylim=(0, 1))
    curves.set(xlabel="share of the sequence", ylabel="J&F", xlim=(0, 1), ylim=(0, 1))
    for axes in (bars, curves):
        axes.grid(axis="y", alpha=0.3)
        axes.legend()
    figure.savefig(file, dpi=100)


def best_and_worst(done: Sequence[tuple[Job, Record]]) -> list[tuple[str, Job, Record]]:
    """The sequence with the highest and that with the lowest J&F, named "best" and "worst"; one where there is one."""
    scored = [(sequence_rows([record])[0].j_and_f, job, record) for job, record in done]
    scored = sorted((each for each in scored if not np.isnan(each[0])), key=lambda each: each[0])
    ends = [("worst", scored[0]), ("best", scored[-1])][-min(2, len(scored)) :] if scored else []
    return [(name, job, record) for name, (_, job, record) in ends]


def overlay(file: Path, job: Job, record: Record) -> None:
    """A video of a sequence with the method's masks; contours of the truth are white. Scores are (J + F) / 2."""
    sequence = job.dataset.open(job.sequence, job.max_frames)
    video = OverlayVideo(file)
    for index, name in enumerate(sequence.frame_names):
        labels = read_labels(job.folder / "masks" / job.sequence / f"{name}.png").labels
        frame = _with_truth(sequence, index)
        video.write(draw(frame, _result(sequence, index, labels, record)), sequence.stamps_ns[index])
    video.close()


def _over_time(records: Sequence[Record]) -> tuple[list[float], list[float]]:
    """Middle of each bin as a share of the sequence, and mean J&F of all objects in it; empty bins are left out."""
    bins: list[list[float]] = [[] for _ in range(_TIME_BINS)]
    for scores in (scores for record in records for scores in record["objects"].values() if scores["frames"]):
        last = max(1, scores["frames"][-1])
        for index, j, f in zip(scores["frames"], scores["J"], scores["F"], strict=True):
            bins[min(_TIME_BINS - 1, index * _TIME_BINS // last)].append((j + f) / 2)
    filled = [(number, values) for number, values in enumerate(bins) if values]
    return [(number + 0.5) / _TIME_BINS for number, _ in filled], [float(np.mean(values)) for _, values in filled]


def _with_truth(sequence: VideoSequence, index: int) -> RgbImage:
    frame = np.array(sequence.footage.frame(index))
    if index in sequence.annotated:
        for mask in sequence.footage.truth(index).masks.values():
            contours, _ = cv2.findContours(mask.astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
            cv2.drawContours(frame, contours, -1, _TRUTH, 2)
    return frame


def _result(sequence: VideoSequence, index: int, labels: Labels, record: Record) -> TrackResult:
    """What the overlay is drawn from."""
    targets = []
    for number, scores in record["objects"].items():
        mask = labels == int(number)
        at = scores["frames"].index(index) if index in scores["frames"] else None
        score = 0.0 if at is None else (scores["J"][at] + scores["F"][at]) / 2
        state = TrackState.TRACKING if mask.any() else TrackState.LOST
        name = scores["description"] or sequence.name
        targets.append(TrackedObject.of_mask(int(number), name, state, score, mask))
    ours = bool(record["motion"])
    return TrackResult(
        stamp_ns=sequence.stamps_ns[index],
        size=(labels.shape[0], labels.shape[1]),
        frame_index=index,
        objects=tuple(targets),
        motion=record["motion"][index] if ours else 0.0,
        keep_ratio=record["keep_ratio"][index] if ours else 1.0,
        tokens_kept=record["tokens"][index] if ours else 0,
        tokens_total=record["tokens_total"],
        untrained=record["untrained"],
    )
