"""All stages of a step, in their order."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from statistics import fmean

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from fastsam2_ros.config import TrackerConfig
from fastsam2_ros.finding import Finding
from fastsam2_ros.language.finder import Finder
from fastsam2_ros.language.search import TextSearch
from fastsam2_ros.pruning.budget import Budget, Deadline
from fastsam2_ros.pruning.motion import Motion, MotionEstimator
from fastsam2_ros.pruning.pruner import TokenPruner
from fastsam2_ros.pruning.router import Scorer, WeightedSum
from fastsam2_ros.results import FINDING_STAGES, AttentionCounts, TargetTokens, TokenView, TrackedObject, TrackResult
from fastsam2_ros.stillness import LastLook
from fastsam2_ros.stopwatch import Stopwatch
from fastsam2_ros.streaming.loading import LoadedSam2
from fastsam2_ros.streaming.shares import token_count
from fastsam2_ros.streaming.values import FrameFeatures, masks_at
from fastsam2_ros.targets import Target, TargetList
from fastsam2_ros.text_cue import TextCue
from fastsam2_ros.tracker_state import EncodedFrame, TrackerState
from fastsam2_ros.tracking import Tracking


class Stages:
    """Models and settings, and nothing of any video: what a step does to a `TrackerState`.

    Args:
        sam, search, config, scorer, clock: as for `TextTracker`.
        finder: finds targets in place of `search`, where there is one.

    Attributes:
        text_cue: what it looks for follows the targets' descriptions.
        finding: starts and finds targets.
        untrained: some of the models' weights are random.
        grid: (rows, columns) of SAM 2's tokens.
    """

    def __init__(
        self,
        sam: LoadedSam2,
        search: TextSearch,
        config: TrackerConfig,
        *,
        finder: Finder | None,
        scorer: Scorer | None,
        clock: Callable[[], float],
    ) -> None:
        self._config = config
        self._clock = clock
        self._sam = sam.streaming
        self._small_side = sam.small_side
        self.grid = self._sam.grid
        self._search = search
        self.untrained = sam.untrained or search.untrained
        scorer = scorer or WeightedSum(config.pruning)
        self._pruner = TokenPruner(config.pruning, scorer, self._sam.grid, self._sam.memory_frames)
        self.text_cue = TextCue(search, self._pruner, config)
        self._tracking = Tracking(self._sam, self._pruner, self.text_cue, config)
        self.finding = Finding(self._sam, search, finder, self._pruner, self.text_cue, config)

    def blank_state(self, targets: TargetList) -> TrackerState:
        """Before the first frame."""
        deadline = Deadline(self._config.pruning, self._small_side)
        return TrackerState(self.grid, targets, MotionEstimator(), deadline, self._search.new_relevance())

    def encode(self, frames: Sequence[npt.NDArray[np.uint8]]) -> list[FrameFeatures]:
        """See `StreamingSam2.encode_batch`."""
        return self._sam.encode_batch(frames)

    def new_target(self, description: str, example: Tensor | None = None) -> Target:
        """One that is to be found, by its text or by an example (`Target.example`)."""
        return Target(description, example is None, True, self._pruner.new_state(), example=example)

    def idle(self, state: TrackerState, seconds: float) -> bool:
        """Whether a frame needs no model: nothing is tracked, given, or due to be searched. seconds: since the last frame."""
        targets = state.targets
        return not targets.waiting and not any(
            each.memory is not None or each.to_search(self._config, seconds) for each in targets.targets
        )

    def advance(
        self,
        state: TrackerState,
        rgb: npt.NDArray[np.uint8],
        stamp_ns: int,
        features: FrameFeatures | None,
        view_tokens: bool,
    ) -> tuple[TrackerState, TrackResult]:
        """All stages of a step, on a state that nobody else sees: it and the result, or an exception.

        Further arguments as for `TextTracker.step`.
        """
        watch = Stopwatch(self._sam.device, self._clock)
        warnings: list[str] = []
        with watch.stage("motion"):
            state.to_grid(self.grid)
        if features is None and not view_tokens and state.last is not None:
            with watch.stage("motion"):
                holds = state.last.holds(rgb, state.targets, self._config.max_skip)
            if holds:
                return _confirmed(state, state.last, stamp_ns, self._config, watch)
        size = (rgb.shape[0], rgb.shape[1])
        with watch.stage("encode"):
            if features is None and not self.idle(state, state.motion.interval(stamp_ns)[0]):
                features = self._sam.encode(rgb)
        watch.add("encode", 0.0 if features is None else features.seconds)
        tracked = [target for target in state.targets.targets if target.memory is not None]
        with watch.stage("motion"):
            motion = state.motion.update(rgb, stamp_ns, _where(tracked))
        warnings += _stamp_warnings(stamp_ns, motion)
        highest = max((target.pruning.keep_ratio for target in tracked), default=1.0)
        ceiling = state.deadline.update(state.step_seconds, highest)
        frame = None if features is None else EncodedFrame(rgb, features, ceiling)
        if state.deadline.missed:
            frames = "small frames" if state.deadline.small else "frames"
            warnings.append(
                f"pruning.target_rate, {self._config.pruning.target_rate:g}, is not held: with the fewest tokens that "
                f"pruning.min_keep_ratio allows, steps with {frames} take longer. Lower it, or take a smaller model or size of "
                "frames (model.image_size, model.small_image_size)."
            )
        for row, target in enumerate(tracked):
            target.pruning.next_keep_ratio(motion.magnitude_of(row), motion.elapsed, ceiling)

        attention: list[AttentionCounts] = []
        viewed: tuple[TargetTokens, ...] = ()
        if tracked and frame is not None:
            attention, viewed = self._tracking.track(state, tracked, frame, motion, watch, view_tokens)
        for target in state.targets.targets:
            target.observe(motion.seconds, self._config)
        state.since_keyframe += motion.seconds
        with watch.stage("ground"):
            state = state if frame is None else self.finding.ground(state, frame, warnings)
        with watch.stage("search"):
            state = state if frame is None else self.finding.search(state, frame, motion.camera, warnings)
        with watch.stage("resize"):
            objects = _objects(state.targets.targets, size, self._config)

        ratios = [target.pruning.keep_ratio for target in state.targets.targets if target.memory is not None]
        keep_ratio = fmean(ratios or [Budget(self._config.pruning).update(0.0, 0.0, True, ceiling)])
        state.index += 1
        # Fewer tokens make no start and no search any shorter: the deadline is that of tracking.
        stage_seconds = watch.seconds()
        state.step_seconds = sum(seconds for stage, seconds in stage_seconds.items() if stage not in FINDING_STAGES)
        result = TrackResult(
            stamp_ns=stamp_ns,
            size=size,
            frame_index=state.index - 1,
            objects=objects,
            motion=motion.magnitude,
            keep_ratio=keep_ratio,
            tokens_kept=token_count(keep_ratio, self._sam.token_count),
            tokens_total=self._sam.token_count,
            stage_seconds=stage_seconds,
            warnings=tuple(warnings),
            untrained=self.untrained,
            attention=tuple(attention),
            attention_flops=sum(self._sam.attention_size.flops(counts) for counts in attention),
            tokens=TokenView(self._pruner.router.on, viewed, self._config.pruning.full_motion) if view_tokens else None,
        )
        state.last = LastLook.of(rgb, result) if self._config.max_skip else None
        return state, result


def _confirmed(
    state: TrackerState, last: LastLook, stamp_ns: int, config: TrackerConfig, watch: Stopwatch
) -> tuple[TrackerState, TrackResult]:
    """The step through a frame that shows what the last one did. To memory attention it never was."""
    motion = state.motion.pass_over(stamp_ns)
    for target in state.targets.targets:
        if target.memory is not None:
            target.memory.skip(state.index)
        target.observe(motion.seconds, config)
    state.since_keyframe += motion.seconds
    with watch.stage("resize"):
        warnings = tuple(_stamp_warnings(stamp_ns, motion))
        result = last.result_at(stamp_ns, state.index, warnings)
    state.last = last.again()
    state.index += 1
    seconds = watch.seconds()
    state.deadline.update(sum(seconds.values()))  # it was in time, which counts
    return state, replace(result, stage_seconds=seconds)


def _stamp_warnings(stamp_ns: int, motion: Motion) -> list[str]:
    took = f"took {motion.seconds * 1e3:.0f} ms as the interval"
    return [] if motion.stamp_ok else [f"The stamp {stamp_ns} ns does not rise; {took}."]


def _objects(targets: Sequence[Target], size: tuple[int, int], config: TrackerConfig) -> tuple[TrackedObject, ...]:
    """What is given out, by rising id, what has none yet at the end; no pixel is in two masks."""
    shown = [target for target in targets if target.shown and target.pruning.mask is not None]
    logits = [target.pruning.mask for target in shown if target.pruning.mask is not None]
    masks = masks_at(torch.stack(logits), size) if logits else ()
    by_target = dict(zip(shown, masks, strict=True))
    objects = [target.result(by_target.get(target, np.zeros(size, bool)), config) for target in targets]
    return tuple(sorted(objects, key=lambda each: (each.id == 0, each.id)))


def _where(targets: Sequence[Target]) -> npt.NDArray[np.bool_] | None:
    """Where each target was in the last frame: bool (targets, h, w), stretched over the frame; None without targets."""
    masks = [target.pruning.mask for target in targets if target.pruning.mask is not None]
    return None if not masks else (torch.cat(masks) > 0).cpu().numpy()
