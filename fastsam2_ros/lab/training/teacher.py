"""What a router could have known of each frame, and which tokens it should have kept, from an unpruned tracker."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from fastsam2_ros.config import TrackerConfig
from fastsam2_ros.errors import InputError
from fastsam2_ros.lab.training.recordings import Recording, Shown
from fastsam2_ros.language.search import TextSearch
from fastsam2_ros.pruning.cues import CUES, Grid
from fastsam2_ros.pruning.motion import Motion
from fastsam2_ros.pruning.router import Router, WeightedSum
from fastsam2_ros.results import TrackState
from fastsam2_ros.streaming.loading import LoadedSam2
from fastsam2_ros.streaming.values import FrameFeatures
from fastsam2_ros.targets import Target
from fastsam2_ros.tracker import TextTracker

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


@dataclass(frozen=True)
class _View:
    """What the tracker's own router would have seen of a target, and the mask that was decoded."""

    tokens: Tensor
    maps: Tensor
    mask: Tensor
    trusted: bool


class Teacher(TextTracker):
    """The tracker with all of its tokens, which keeps all cues of the last step.

    Attributes:
        views: by the target's id.
    """

    def __init__(self, sam: LoadedSam2, search: TextSearch, config: TrackerConfig) -> None:
        dense = replace(config.pruning, keep_ratio=1.0)
        super().__init__(sam, search, replace(config, pruning=dense, max_targets=MAX_TARGETS))
        weights: dict[str, Any] = {f"{name}_weight": 1.0 for name in CUES}
        self._router = Router(WeightedSum(replace(dense, **weights)))
        self.views: dict[int, _View] = {}

    def _track(self, tracked: Sequence[Target], features: FrameFeatures, motion: Motion, *rest: Any) -> Any:
        shared = self._frame_cues(tracked, features)
        before = self._router.cue_maps(shared, *self._known(tracked), motion.camera, motion.reaches)
        result = super()._track(tracked, features, motion, *rest)
        after = self._router.cue_maps(shared, *self._known(tracked))
        tokens, maps = features.tokens.half().cpu(), torch.stack([before, after], dim=1).half().cpu()
        for target, seen in zip(tracked, maps, strict=True):
            if target.low_res is not None:
                self.views[target.id] = _View(tokens, seen, target.low_res, target.state == TrackState.TRACKING)
        return result

    def _find(self, frame: Any, features: FrameFeatures, *rest: Any) -> None:
        super()._find(frame, features, *rest)
        # Targets that start with a mask are never searched: without this, nothing would be known of their texts.
        if self._targets:
            self._search.prepare(frame, features)

    def _known(self, tracked: Sequence[Target]) -> tuple[Tensor, Tensor]:
        masks = torch.stack([target.low_res for target in tracked if target.low_res is not None])
        return masks, torch.tensor([target.score for target in tracked], device=self.device)


def samples(sam: LoadedSam2, search: TextSearch, config: TrackerConfig, recording: Recording) -> Iterator[Sample]:
    """Track through a recording; a sample for each frame and target that has something to keep.

    Labels come from the true mask where it is known, else from the tracker's own, where it trusts that itself.
    """
    search.forget()
    teacher = Teacher(sam, search, config)
    teacher.set_target(recording.text)
    for box in recording.boxes:
        teacher.set_box(box)
    numbers: dict[int, int] = {}  # the recording's by the tracker's id
    tracked = 0
    for index, shown in enumerate(recording.frames()):
        for mask, description in shown.starts.values():
            teacher.set_mask(mask, description)
        teacher.views.clear()
        result = teacher.step(shown.rgb, shown.stamp_ns)
        if teacher.views:
            if recording.last is not None and tracked >= recording.last:
                return
            for number, view in teacher.views.items() if tracked >= recording.first else ():
                labels = _labels(view, shown, numbers.get(number), sam.streaming.grid)
                # Where there is nothing to tell apart there is nothing to learn.
                if labels.any() and not labels.all():
                    yield Sample(view.tokens, view.maps, labels)
            tracked += 1
        started = [each.id for each in result.objects if each.id not in numbers] if shown.starts else []
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


def _labels(view: _View, shown: Shown, number: int | None, grid: Grid) -> Tensor:
    if shown.truth is not None and number is not None:
        true = shown.truth.get(number)
        return token_labels(torch.from_numpy(np.zeros(shown.rgb.shape[:2], bool) if true is None else true), grid)
    own = (view.mask[0] > 0).cpu()
    return token_labels(own if view.trusted else torch.zeros_like(own), grid)
