"""Boxes of a detector that runs elsewhere as a way to find targets: its classes are compared with the description."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from math import isfinite

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from fastsam2_ros.config import LanguageConfig
from fastsam2_ros.errors import InputError
from fastsam2_ros.language import scoring
from fastsam2_ros.language.descriptions import key
from fastsam2_ros.language.finder import Wanted
from fastsam2_ros.language.grounding import Grounding
from fastsam2_ros.language.protocols import Features, Segmenter
from fastsam2_ros.language.relations import parse
from fastsam2_ros.language.vocabulary import words
from fastsam2_ros.results import Box
from fastsam2_ros.streaming.prompts import BOX_FIRST, BOX_SECOND, PADDING, clip_box

MAX_AGE = 0.5
"""Seconds after which detections say nothing any more of what a camera sees."""


@dataclass(frozen=True)
class Detection:
    """One box of a detector.

    Attributes:
        name: of its class, such as "mug".
        box: pixels of the frame.
        score: [0, 1].
    """

    name: str
    box: Box
    score: float


class DetectionFinder:
    """Finds targets among the newest detections. Any thread may `post`.

    A class fits a description whose text it is, or whose words it is part of: "mug" fits "red mug". Of several boxes that
    fit equally, a relation in the description decides ("the left mug"), then the detector's score.

    Args:
        clock: seconds that only rise.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._posted: tuple[float, tuple[Detection, ...]] = (float("-inf"), ())

    def post(self, detections: Sequence[Detection]) -> None:
        """Take a frame's detections in place of those before; scores are clipped to [0, 1], what has none is left out."""
        usable = [replace(each, score=min(max(each.score, 0.0), 1.0)) for each in detections if isfinite(each.score)]
        with self._lock:
            self._posted = self._clock(), tuple(usable)

    def search(
        self,
        frame: npt.NDArray[np.uint8],
        features: Features,
        wanted: Sequence[Wanted],
        segmenter: Segmenter,
        config: LanguageConfig,
        dense: Tensor | None = None,
        others: Sequence[str] = (),
    ) -> list[Grounding | None]:
        """See `Finder`; `config` and `dense` are not looked at. A box outside the frame is none."""
        with self._lock:
            since, detections = self._posted
        size = frame.shape[0], frame.shape[1]
        inside = [] if self._clock() - since > MAX_AGE else [each for each in detections if _in_frame(each, size)]
        taken: set[int] = set()
        results: list[Grounding | None] = []
        for each in wanted:
            place = _best(each, [None if row in taken else detection for row, detection in enumerate(inside)], size)
            taken.update(() if place is None else (place,))
            results.append(None if place is None else _segmented(each, inside[place], features, segmenter, size))
        return results


def _best(wanted: Wanted, detections: Sequence[Detection | None], size: tuple[int, int]) -> int | None:
    """Index of the detection that is meant."""
    plain, relation = parse(wanted.description)

    def rank(place: int, detection: Detection) -> tuple[float, ...]:
        same = key(detection.name) == key(plain)
        order = relation.order(detection.box, size) if relation else 0.0
        return float(not same), order, -detection.score, place

    fitting = [
        rank(place, each)
        for place, each in enumerate(detections)
        if each is not None and words(each.name) and words(each.name) <= words(plain)
    ]
    return int(min(fitting)[-1]) if fitting else None


def _segmented(
    wanted: Wanted, detection: Detection, features: Features, segmenter: Segmenter, size: tuple[int, int]
) -> Grounding | None:
    """The best mask of a box; None where SAM 2 sees nothing in it."""
    x, y, width, height = clip_box(detection.box, size)
    device = features.tokens.device
    points = torch.tensor([[[x, y], [x + width, y + height], [x + width / 2, y + height / 2]]], device=device)
    labels = torch.tensor([[BOX_FIRST, BOX_SECOND, PADDING]], dtype=torch.int32, device=device)
    masks, predicted = segmenter.segment(features, points, labels, size)
    mask, iou = masks[0, int(predicted[0].argmax())].float(), float(predicted[0].max().clamp(0, 1))
    if not (mask > 0).any():
        return None
    box = scoring.mask_box(mask, size)
    return Grounding(wanted.description, mask, box, points[0], labels[0], iou * detection.score, 0.0)


def _in_frame(detection: Detection, size: tuple[int, int]) -> bool:
    try:
        clip_box(detection.box, size)
    except InputError:
        return False
    return True
