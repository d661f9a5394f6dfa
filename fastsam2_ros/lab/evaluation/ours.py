"""`TextTracker` as a method that is evaluated: with the first mask given, or with nothing but a text."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np

from fastsam2_ros.config import ModelConfig, TrackerConfig
from fastsam2_ros.errors import InputError
from fastsam2_ros.lab.evaluation.baselines import starting
from fastsam2_ros.lab.evaluation.labels import Labels
from fastsam2_ros.lab.evaluation.sequences import VideoSequence
from fastsam2_ros.language.descriptions import SEPARATOR, key, split
from fastsam2_ros.results import TrackResult

if TYPE_CHECKING:
    from fastsam2_ros.streaming.loading import LoadedSam2
    from fastsam2_ros.tracker import TextTracker

FIRST_MASK, DESCRIPTION = "first-mask", "description"
MODES = (FIRST_MASK, DESCRIPTION)


@dataclass
class Steps:
    """What `Ours.predict` found out beside the masks, frame by frame.

    Attributes:
        keep_ratio: share of tokens, (0, 1].
        tokens: query tokens per target.
        tokens_total: in the grid.
        motion: frame diagonals per second.
        seconds: of the step.
        untrained: the weights are random.
    """

    keep_ratio: list[float] = field(default_factory=list)
    tokens: list[int] = field(default_factory=list)
    tokens_total: int = 0
    motion: list[float] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)
    untrained: bool = False

    def add(self, result: TrackResult) -> None:
        """Append one frame's."""
        self.keep_ratio.append(result.keep_ratio)
        self.tokens.append(result.tokens_kept)
        self.tokens_total = result.tokens_total
        self.motion.append(result.motion)
        self.seconds.append(sum(result.stage_seconds.values()))
        self.untrained = result.untrained


@dataclass(frozen=True)
class Ours:
    """This package's tracker.

    Attributes:
        config: its settings.
        mode: one of `MODES`.
        name: in the report.
    """

    config: TrackerConfig
    mode: str = FIRST_MASK
    name: str = "fastsam2"

    def predict(self, sequence: VideoSequence, steps: Steps | None = None) -> Iterator[Labels]:
        """Labels of each frame, int32 (H, W): where masks overlap, the better score is on top.

        A description that several objects share goes to the first of them.

        Args:
            sequence: what to track.
            steps: is added to, where given.

        Raises:
            InputError: by description, and there is none.
            ModelError: weights cannot be had.
        """
        asked = {number: _plain(text) for number, text in sequence.descriptions.items() if number in sequence.first}
        if self.mode == DESCRIPTION and not asked:
            raise InputError(
                f"The sequence {sequence.name} has no descriptions; write descriptions.json into the data set's folder: "
                f'{{"{sequence.name}": {{"objects": {{"1": "red mug"}}}}}}, or take the mode {FIRST_MASK}.'
            )
        tracker = new_tracker(self.config, len(sequence.first))
        if self.mode == DESCRIPTION:
            tracker.set_target(SEPARATOR.join(asked.values()))
        described = {key(text): number for number, text in reversed(asked.items())}
        given = iter(sorted(sequence.first, key=lambda number: (sequence.first[number], number)))
        objects: dict[int, int] = {}  # the data set's by the tracker's id
        for index, stamp_ns in enumerate(sequence.stamps_ns):
            if self.mode == FIRST_MASK:
                for number, mask in starting(sequence, index).items():
                    tracker.set_mask(mask, sequence.descriptions.get(number, "object"))
            result = tracker.step(sequence.footage.frame(index), stamp_ns)
            for target in result.objects:
                if target.id and target.id not in objects:
                    by_text = self.mode == DESCRIPTION
                    objects[target.id] = described[key(target.description)] if by_text else next(given)
            if steps is not None:
                steps.add(result)
            yield _renumbered(result.labels(), objects)

    def found(self, sequence: VideoSequence, descriptions: Sequence[str]) -> dict[str, bool]:
        """Whether the tracker, asked for one after the other, believes to see it in the first frame."""
        tracker = new_tracker(self.config, 1)
        frame = sequence.footage.frame(0)
        answers = {}
        for text in descriptions:
            tracker.set_target(_plain(text))
            result = tracker.step(frame, sequence.stamps_ns[0])
            answers[text] = any(target.area for target in result.objects)
        return answers


def new_tracker(config: TrackerConfig, targets: int) -> TextTracker:
    """A tracker for one sequence with so many targets: nothing that was learned of one sequence serves another."""
    from fastsam2_ros.language.search import TextSearch
    from fastsam2_ros.tracker import TextTracker

    config = replace(config, max_targets=max(targets, config.max_targets))
    sam = load(config.model)
    return TextTracker(sam, TextSearch(config.language.suited(config.model.name), sam.streaming.device), config)


@lru_cache(maxsize=4)
def load(model: ModelConfig) -> LoadedSam2:
    """SAM 2, read once by a process."""
    from fastsam2_ros.streaming.loading import load_sam2

    return load_sam2(model)


def _plain(text: str) -> str:
    """One description, as the tracker will give it back."""
    return "".join(split(text.replace(SEPARATOR, ","), 1))


def _renumbered(labels: np.ndarray, objects: dict[int, int]) -> Labels:
    table = np.zeros(max(objects, default=0) + 1, np.int32)
    for ours, theirs in objects.items():
        table[ours] = theirs
    return table[labels]
