"""Many policies over one sequence: every frame is read and encoded once, and all of them step through it in turn."""

from __future__ import annotations

import statistics
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import count

import numpy as np

from fastsam2_ros.images import RgbImage
from fastsam2_ros.lab.evaluation.ablation.gain import at_tiny_sizes
from fastsam2_ros.lab.evaluation.ablation.policies import Variant
from fastsam2_ros.lab.evaluation.baselines import starting
from fastsam2_ros.lab.evaluation.metrics import contour_accuracy, region_similarity
from fastsam2_ros.lab.evaluation.ours import FIRST_MASK, load, renumbered
from fastsam2_ros.lab.evaluation.run import counted_frames
from fastsam2_ros.lab.evaluation.sequences import Truth, VideoSequence
from fastsam2_ros.lab.random_scores import RandomScores
from fastsam2_ros.language.search import TextSearch
from fastsam2_ros.results import FINDING_STAGES, TrackResult
from fastsam2_ros.stopwatch import Stopwatch
from fastsam2_ros.streaming.values import FrameFeatures
from fastsam2_ros.tracker import TextTracker

WARM_FRAMES = 8
"""Frames before the first whose time counts, as far as there are more: the memory fills up in them."""
STEP = "step"
"""Beside the stages in `Measurement.seconds`: the whole step."""
_DIGITS = 6


@dataclass
class Measurement:
    """One policy on one sequence; lists have a value per frame, but those by object.

    Attributes:
        frames: by object, the frames in which it is judged.
        j, f: by object, of those frames, [0, 1].
        keep_ratio: (0, 1].
        queries: query tokens, mean over the targets; 0 where nothing was tracked yet.
        keys: spatial memory tokens attended to, likewise.
        flops: of memory attention at `tiny`'s sizes, over all targets.
        motion: frame diagonals per second.
        tokens: in the grid.
        memory_bytes: most that the memory of a target took.
        seconds: medians by stage, and of the whole step.
        dense_seconds: those of the dense policy that stepped through the same frames in turn with this one.
        untrained: the weights are random.
    """

    frames: dict[str, list[int]] = field(default_factory=dict)
    j: dict[str, list[float]] = field(default_factory=dict)
    f: dict[str, list[float]] = field(default_factory=dict)
    keep_ratio: list[float] = field(default_factory=list)
    queries: list[float] = field(default_factory=list)
    keys: list[float] = field(default_factory=list)
    flops: list[float] = field(default_factory=list)
    motion: list[float] = field(default_factory=list)
    tokens: int = 0
    memory_bytes: int = 0
    seconds: dict[str, float] = field(default_factory=dict)
    dense_seconds: dict[str, float] = field(default_factory=dict)
    untrained: bool = False


def measure(sequence: VideoSequence, policies: Mapping[str, Variant], dense: Variant) -> dict[str, Measurement]:
    """Track through a sequence, the first mask of each object given, with all policies at once.

    Args:
        sequence: with at least one annotated frame.
        policies: by any name; they differ in nothing that changes the image encoder.
        dense: the one that times are compared with; it is tracked too.

    Returns:
        by the policies' names.

    Raises:
        FastSam2Error: the sequence is damaged, or weights cannot be had.
    """
    config = dense.config
    encoder = load(config.model).streaming
    search = TextSearch(config.language.suited(config.model.name), encoder.device)
    reference = _Run(sequence, dense, search)
    # A policy that is the dense one does not run a second time.
    runs = {
        name: reference if variant == dense else _Run(sequence, variant, search) for name, variant in policies.items()
    }
    every = list({id(run): run for run in (reference, *runs.values())}.values())
    counted = {number: counted_frames(sequence, number, FIRST_MASK) for number in sequence.first}
    judged = frozenset().union(*counted.values())
    for index, stamp_ns in enumerate(sequence.stamps_ns):
        frame = sequence.footage.frame(index)
        watch = Stopwatch(encoder.device)
        with watch.stage("encode"):
            features = encoder.encode(frame)
        encoding = watch.seconds()["encode"]
        given = starting(sequence, index)
        truth = sequence.footage.truth(index) if index in judged else Truth({})
        numbers = [number for number, frames in counted.items() if index in frames]
        for run in every:
            labels = run.step(frame, stamp_ns, features, given, encoding)
            run.judge(index, labels, truth, numbers)
    reference.finish(reference)
    for run in every:
        run.finish(reference)
    return {name: run.measurement for name, run in runs.items()}


def medians(seconds: Mapping[str, Sequence[float]]) -> dict[str, float]:
    """By stage, of the frames after the memory is full (`WARM_FRAMES`), where there are any."""
    late = {stage: each[WARM_FRAMES:] if len(each) > WARM_FRAMES else each for stage, each in seconds.items()}
    return {stage: round(statistics.median(each), 7) for stage, each in late.items()}


class _Run:
    """One policy's tracker and what is measured of it."""

    def __init__(self, sequence: VideoSequence, variant: Variant, search: TextSearch) -> None:
        config = variant.config
        self.measurement = Measurement()
        self._sequence = sequence
        room = replace(config, max_targets=max(len(sequence.first), config.max_targets))
        scorer = RandomScores() if variant.random_tokens else None
        self._tracker = TextTracker(load(config.model), search, room, scorer=scorer)
        self._ids = count(1)
        self._objects: dict[int, int] = {}  # the data set's by the tracker's id
        self._seconds: defaultdict[str, list[float]] = defaultdict(list)

    def step(
        self, frame: RgbImage, stamp_ns: int, features: FrameFeatures, given: Mapping[int, np.ndarray], encoding: float
    ) -> np.ndarray:
        """Track one frame, whose encoding took so many seconds. Returns labels (H, W) with the data set's ids."""
        for number, mask in given.items():
            self._tracker.set_mask(mask, self._sequence.descriptions.get(number, "object"))
            self._objects[next(self._ids)] = number
        result = self._tracker.step(frame, stamp_ns, features=features)
        self._count(result)
        seconds = {stage: value for stage, value in result.stage_seconds.items() if stage not in FINDING_STAGES}
        seconds["encode"] = encoding
        for stage, value in {**seconds, STEP: sum(seconds.values())}.items():
            self._seconds[stage].append(value)
        return renumbered(result.labels(), self._objects)

    def judge(self, index: int, labels: np.ndarray, truth: Truth, numbers: list[int]) -> None:
        """Add J and F of the objects that are judged in this frame."""
        nothing = np.zeros(labels.shape, bool)
        for number in numbers:
            true, found = truth.masks.get(number, nothing), labels == number
            self.measurement.frames.setdefault(str(number), []).append(index)
            score = round(region_similarity(true, found, truth.void), _DIGITS)
            self.measurement.j.setdefault(str(number), []).append(score)
            score = round(contour_accuracy(true, found, truth.void), _DIGITS)
            self.measurement.f.setdefault(str(number), []).append(score)

    def finish(self, reference: _Run) -> None:
        """Set the median times, beside those of the dense policy."""
        self.measurement.seconds = medians(self._seconds)
        self.measurement.dense_seconds = reference.measurement.seconds

    def _count(self, result: TrackResult) -> None:
        measured, counts, tokens = self.measurement, result.attention, result.tokens_total
        measured.tokens, measured.untrained = tokens, result.untrained
        measured.keep_ratio.append(round(result.keep_ratio, _DIGITS))
        measured.motion.append(round(result.motion, _DIGITS))
        measured.queries.append(round(statistics.fmean(each.queries for each in counts), 2) if counts else 0.0)
        measured.keys.append(round(statistics.fmean(each.keys for each in counts), 2) if counts else 0.0)
        measured.flops.append(float(round(sum(at_tiny_sizes(each, tokens) for each in counts))))
        if counts:
            measured.memory_bytes = max(measured.memory_bytes, self._tracker.memory_bytes // len(counts))
