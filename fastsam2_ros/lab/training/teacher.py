"""What a router could have known of each frame, and which tokens it should have kept, from an unpruned tracker."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from fastsam2_ros.config import TrackerConfig
from fastsam2_ros.errors import InputError
from fastsam2_ros.lab.training.recordings import Recording, Shown
from fastsam2_ros.language.search import TextSearch
from fastsam2_ros.pruning.cues import CUES, Grid
from fastsam2_ros.streaming.loading import LoadedSam2
from fastsam2_ros.tracker import Observation, TextTracker

USES = ("query", "memory")
"""What tokens are kept for: to be conditioned on memory, when only the last frame's mask is known; and to be remembered,
when the frame's own is.
"""


MAX_TARGETS = 64
"""Data sets have as many in one video."""


@dataclass(frozen=True)
class Sample:
    """One target in one frame; on the CPU, fp16.

    Attributes:
        tokens: (N, C).
        maps: (len(USES), len(CUES), N), `Router.cue_maps` for either use.
        labels: bool (N,), the token's cell holds a part of the target or of its border.
    """

    tokens: Tensor
    maps: Tensor
    labels: Tensor


class EveryCue:
    """A scorer that looks at every cue, so that an observer gets the maps of all; nothing is chosen by it."""

    cues = CUES

    def __call__(self, tokens: Tensor, maps: Tensor) -> Tensor:
        """See `pruning.router.Scorer`."""
        return maps.sum(1)


def samples(sam: LoadedSam2, search: TextSearch, config: TrackerConfig, recording: Recording) -> Iterator[Sample]:
    """Track through a recording; a sample for each frame and target that has something to keep.

    Labels come from the true mask where it is known, else from the tracker's own, where it trusts that itself.
    """
    seen: list[Observation] = []

    def watch(observations: Sequence[Observation]) -> None:
        seen.extend(observations)

    dense = replace(config, pruning=replace(config.pruning, keep_ratio=1.0, memory_ratio=0.0), max_targets=MAX_TARGETS)
    teacher = TextTracker(sam, search, dense, scorer=EveryCue(), observer=watch)
    teacher.set_target(recording.text)
    for box in recording.boxes:
        teacher.set_box(box)
    numbers: dict[int, int] = {}  # the recording's by the tracker's id
    tracked = 0
    for index, shown in enumerate(recording.frames()):
        for mask, description in shown.starts.values():
            teacher.set_mask(mask, description)
        seen.clear()
        result = teacher.step(shown.rgb, shown.stamp_ns)
        if seen:
            if recording.last is not None and tracked >= recording.last:
                return
            for each in seen if tracked >= recording.first else ():
                labels = _labels(each, shown, numbers.get(each.id), sam.streaming.grid)
                # Where there is nothing to tell apart there is nothing to learn.
                if labels.any() and not labels.all():
                    maps = torch.stack([each.query_maps, each.memory_maps])
                    yield Sample(each.tokens.half().cpu(), maps.half().cpu(), labels)
            tracked += 1
        started = [each.id for each in result.objects if each.id and each.id not in numbers] if shown.starts else []
        if len(started) != len(shown.starts):
            raise InputError(f"{recording.name}, frame {index}: {' '.join(result.warnings)}")
        numbers.update(zip(started, shown.starts, strict=True))


def token_labels(mask: Tensor, grid: Grid) -> Tensor:
    """Tokens whose cell holds a pixel of the mask, or one beside it.

    Args:
        mask: bool (H, W), over the whole frame.
        grid: of the tokens.

    Returns:
        bool (N,).
    """
    with_border = F.max_pool2d(mask.float()[None, None], 3, stride=1, padding=1)
    return F.adaptive_max_pool2d(with_border, grid).flatten() > 0


def _labels(view: Observation, shown: Shown, number: int | None, grid: Grid) -> Tensor:
    if shown.truth is not None and number is not None:
        true = shown.truth.get(number)
        return token_labels(torch.from_numpy(np.zeros(shown.rgb.shape[:2], bool) if true is None else true), grid)
    own = (view.mask[0] > 0).cpu()
    return token_labels(own if view.certain else torch.zeros_like(own), grid)
