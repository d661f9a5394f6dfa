"""`TextTracker`: the whole public API of the core."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from statistics import fmean
from typing import NoReturn

import numpy as np
import numpy.typing as npt
import torch

from fastsam2_ros.config import TrackerConfig, check, fixed_differences
from fastsam2_ros.errors import InputError
from fastsam2_ros.language import descriptions
from fastsam2_ros.language.finder import Finder
from fastsam2_ros.language.search import NONE, TextSearch
from fastsam2_ros.pruning.budget import Budget, Deadline
from fastsam2_ros.pruning.motion import Motion
from fastsam2_ros.pruning.router import Scorer
from fastsam2_ros.results import (
    FINDING_STAGES,
    AttentionCounts,
    Box,
    TargetTokens,
    TokenView,
    TrackedObject,
    TrackResult,
)
from fastsam2_ros.stages import UNNAMED, EncodedFrame, Observation, Stages, TrackerState
from fastsam2_ros.stillness import LastLook
from fastsam2_ros.stopwatch import Stopwatch
from fastsam2_ros.streaming.loading import LoadedSam2, load_sam2
from fastsam2_ros.streaming.prompts import check_box, check_mask
from fastsam2_ros.streaming.shares import token_count
from fastsam2_ros.streaming.values import FrameFeatures, masks_at
from fastsam2_ros.targets import Request, Target, TargetList
from fastsam2_ros.torch_settings import neutral_torch


class TextTracker:
    """Finds what a text describes and tracks it, one frame at a time.

    Not thread-safe: one thread calls it (the node's worker). Time and memory of a step do not grow with the number of
    steps before it. torch's process-wide settings (autocast, default dtype and device, gradients) do not change what it gives.

    Args:
        sam: SAM 2.
        search: the language model; several trackers can share both.
        config: settings.
        scorer: of tokens, in place of the one that `config.pruning.router` names.
        observer: is called in every step with all tracked targets, and the maps of all cues that the scorer looks at.
        clock: seconds, by which stages are timed.

    Observers, scorers and finders are called within a step: there, what changes the tracker raises `InputError`.
    """

    def __init__(
        self,
        sam: LoadedSam2,
        search: TextSearch,
        config: TrackerConfig,
        *,
        scorer: Scorer | None = None,
        observer: Callable[[Sequence[Observation]], None] | None = None,
        clock: Callable[[], float] = time.perf_counter,
    ) -> None:
        check(config)
        self.config = config
        self._clock = clock
        self._loaded = sam
        self._sam = sam.streaming
        self._search = search
        self._in_step = False
        self._new_stages = partial(Stages, sam, search, finder=None, scorer=scorer, observer=observer)
        with neutral_torch(inference=False):
            search.share_trunk(self._sam.trunk_maps)
            self._stages = self._new_stages(config)
            self._state = self._stages.blank_state(TargetList(config.max_targets))

    @classmethod
    def from_config(cls, config: TrackerConfig) -> TextTracker:
        """Load models.

        Raises:
            ModelError: weights, configuration or device cannot be had.
            InputError: a setting is out of its range.
        """
        check(config)
        with neutral_torch(inference=False):
            sam = load_sam2(config.model)
            search = TextSearch(config.language.suited(config.model.name), sam.streaming.device)
        return cls(sam, search, config)

    def sibling(self) -> TextTracker:
        """Another one with these settings, for another video; the models, which are in memory once, serve both.

        It has no scorer, observer or finder (`find_with`) of its own yet.
        """
        return TextTracker(self._loaded, self._search, self.config, clock=self._clock)

    def __reduce_ex__(self, protocol: object) -> NoReturn:
        raise TypeError(
            "A TextTracker cannot be copied or pickled: it holds models on a device, and the state of one video. "
            "Make another one with TextTracker.from_config(tracker.config), in another process there."
        )

    @property
    def untrained(self) -> bool:
        """True where the weights of SAM 2 or of the language model are random."""
        return self._loaded.untrained or self._search.untrained

    @property
    def device(self) -> torch.device:
        """Where the models run."""
        return self._sam.device

    @property
    def targets(self) -> tuple[Target, ...]:
        """What is tracked or looked for, as the next step will take it up; to be read only. (A result may say UNCERTAIN of
        one that is TRACKING here: where all of its mask is another's.)
        """
        return tuple(self._state.targets.targets)

    @property
    def memory_bytes(self) -> int:
        """Bytes that the memory of all targets takes, and of the frames that their looks are known from."""
        total = sum({id(look.tokens): look.tokens.nbytes for target in self.targets for look in target.looks}.values())
        for target in self._state.targets.targets:
            last = target.pruning.conditioned
            total += 0 if target.memory is None else target.memory.size_bytes()
            total += 0 if last is None else last.element_size() * last.nelement()
        return total

    def reconfigure(self, config: TrackerConfig) -> None:
        """Go on with other settings, from the next frame on; targets stay.

        Raises:
            InputError: one is out of its range, or belongs to the models that are loaded; all then stay as they were.
        """
        self._refuse_in_step("reconfigure")
        check(config)
        fixed = fixed_differences(self.config, config)
        if fixed:
            raise InputError(f"{', '.join(fixed)} cannot be changed once the models are loaded; load them anew.")
        state = self._state.copy()
        state.targets.limit = config.max_targets
        state.deadline = Deadline(config.pruning)
        state.last = None
        for target in state.targets.targets:
            target.pruning.budget.config = config.pruning
        with neutral_torch(inference=False):
            stages = self._new_stages(config)
            stages.aim(state)
        self.config, self._stages, self._state = config, stages, state

    def find_with(self, finder: Finder | None) -> None:
        """Find targets by this from now on, such as a detector's boxes (`language.detections`); None: by the language model.

        What an example shows is found by the language model in any case.
        """
        self._refuse_in_step("find_with")
        self._new_stages = partial(self._new_stages, finder=finder)
        self.reconfigure(self.config)

    def warm_up(self) -> None:
        """Let the models run once, so that the first frame takes no longer than the others. Targets stay as they are."""
        frame = np.zeros((480, 640, 3), np.uint8)
        with neutral_torch():
            stages = self._new_stages(self.config, observer=None)
            state = stages.blank_state(TargetList(2))
            if self._search.config.name != NONE:
                state.targets.name([UNNAMED], partial(stages.new_target, by_text=True, searchable=True))
                stages.aim(state)
            state.targets.ask(Request(box=(160.0, 120.0, 320.0, 240.0)))
            for index in range(3):
                state, _ = self._advance(stages, state, frame, index * 33_000_000, None, False)

    def set_target(self, text: str) -> tuple[str, ...]:
        """Track what the text describes; descriptions separated by ';'. Blank text: track nothing.

        Targets that an earlier text named go on undisturbed where this one names them too, else they end; targets of boxes and
        masks go on. A blank text ends all. Cheap: the search is done by `step`.

        Returns:
            the descriptions that are tracked or looked for from now on, those of boxes and masks left out.

        Raises:
            InputError: too long, or too many; the targets then stay as they were.
        """
        self._refuse_in_step("set_target")
        wanted = descriptions.split(text, self.config.max_targets)
        if wanted and not self._stages.can_search:
            self._search.require()
        state = self._state.copy()
        state.targets.name(wanted, partial(self._stages.new_target, by_text=True, searchable=True))
        with neutral_torch():
            self._stages.aim(state)
        self._state = state
        return wanted

    def set_example(self, image: npt.NDArray[np.uint8], description: str = "") -> str:
        """Track what looks like the thing in a picture, beside the present targets; it replaces an earlier example.

        The picture's CLIP embedding stands where a text's would; the search is done by `step`.

        Args:
            image: uint8 (H, W, 3), RGB, of the thing and little else: any size.
            description: what it is called; empty: what CLIP's vocabulary has for it.

        Returns:
            the description.

        Raises:
            InputError: not such an array, no language model, too long a description, or too many targets.
        """
        self._refuse_in_step("set_example")
        _check_frame(image)
        with neutral_torch():
            embedding = self._search.embed_example(image)
            height, width = image.shape[:2]
            name = descriptions.single(description) or self._search.describe(image, (0.0, 0.0, width, height))
            state = self._state.copy()
            state.targets.show(self._stages.new_target(name, by_text=False, searchable=True, example=embedding))
            self._stages.aim(state)
        self._state = state
        return name

    def set_box(self, box: Box) -> None:
        """Track what is in this box of the next frame, beside the present targets.

        Args:
            box: x, y, width, height in pixels of that frame.

        Raises:
            InputError: the box is empty or not finite, or there are too many targets. (Outside the frame: a warning of
                the next result.)
        """
        self._refuse_in_step("set_box")
        check_box(box)
        x, y, width, height = map(float, box)
        self._state.targets.ask(Request(box=(x, y, width, height)))

    def set_mask(self, mask: npt.NDArray[np.bool_], description: str = UNNAMED) -> None:
        """Track what this mask covers in the next frame, beside the present targets.

        Args:
            mask: bool (H, W) of that frame.
            description: text; with one, the target is searched by it where it is lost.

        Raises:
            InputError: not such a mask, nothing in it, too long a description, or too many targets. (Of another size than
                the frame: a warning of the next result.)
        """
        self._refuse_in_step("set_mask")
        check_mask(mask)
        name = descriptions.single(description) or UNNAMED
        self._state.targets.ask(Request(mask=mask.copy(), description=name))

    def encode(self, frames: Sequence[npt.NDArray[np.uint8]]) -> list[FrameFeatures]:
        """What `step` takes as `features`, of frames that siblings will step through: one batch for all.

        Args:
            frames: uint8 (H, W, 3), RGB; of any sizes.

        Raises:
            InputError: one is not such an array.
        """
        for frame in frames:
            _check_frame(frame)
        watch = Stopwatch(self.device, self._clock)
        with neutral_torch(), watch.stage("encode"):
            encoded = self._sam.encode_batch(frames)
        return [replace(each, seconds=watch.seconds["encode"] / len(frames)) for each in encoded]

    def needs_encoder(self, stamp_ns: int) -> bool:
        """Whether a frame of this stamp, nanoseconds, is to be encoded: something is tracked, given, or due to be searched.

        Where not, `step` does without the encoder.
        """
        return not self._stages.idle(self._state, self._state.motion.interval(stamp_ns)[0])

    def step(
        self,
        frame: npt.NDArray[np.uint8],
        stamp_ns: int,
        *,
        features: FrameFeatures | None = None,
        view_tokens: bool = False,
    ) -> TrackResult:
        """Track through one more frame.

        A step happens or does not: after an exception the tracker is as it was before. What goes wrong while something is
        searched or started does not stop tracking: it is a warning of the result.

        Args:
            frame: uint8 (H, W, 3), RGB; any size, which may change between frames.
            stamp_ns: nanoseconds; where it does not rise, the last good interval is taken.
            features: what this model's encoder made of the frame, where it was encoded already (`encode`).
            view_tokens: give in the result's `tokens` what was pruned and why.

        Raises:
            InputError: not such an array.
        """
        self._refuse_in_step("step")
        _check_frame(frame)
        self._in_step = True
        try:
            with neutral_torch():
                state, result = self._advance(self._stages, self._state.copy(), frame, stamp_ns, features, view_tokens)
        finally:
            self._in_step = False
        self._state = state
        return result

    def reset(self) -> None:
        """Forget all targets, and all memory. Ids go on rising."""
        self._refuse_in_step("reset")
        targets = self._state.targets.copy()
        targets.clear()
        self._state = replace(self._stages.blank_state(targets), index=self._state.index)

    def _refuse_in_step(self, method: str) -> None:
        """What the step works on takes the place of everything at its end: a change beside it would be lost."""
        if self._in_step:
            raise InputError(
                f"{method} was called within a step, by an observer, scorer or finder; call it after the step."
            )

    # ---- the stages ----

    def _advance(
        self,
        stages: Stages,
        state: TrackerState,
        rgb: npt.NDArray[np.uint8],
        stamp_ns: int,
        features: FrameFeatures | None,
        view_tokens: bool,
    ) -> tuple[TrackerState, TrackResult]:
        """All stages of a step, on a state that nobody else sees: it and the result, or an exception."""
        watch = Stopwatch(self.device, self._clock)
        warnings: list[str] = []
        if features is None and not view_tokens and not stages.observed and state.last is not None:
            with watch.stage("motion"):
                holds = state.last.holds(rgb, state.targets, self.config.max_skip)
            if holds:
                return _confirmed(state, state.last, stamp_ns, self.config, watch)
        size = (rgb.shape[0], rgb.shape[1])
        with watch.stage("encode"):
            if features is None and not stages.idle(state, state.motion.interval(stamp_ns)[0]):
                features = self._sam.encode(rgb)
        watch.seconds["encode"] += 0.0 if features is None else features.seconds
        tracked = [target for target in state.targets.targets if target.memory is not None]
        with watch.stage("motion"):
            motion = state.motion.update(rgb, stamp_ns, _where(tracked))
        warnings += _stamp_warnings(stamp_ns, motion)
        highest = max((target.pruning.keep_ratio for target in tracked), default=1.0)
        ceiling = state.deadline.update(state.step_seconds, highest)
        frame = None if features is None else EncodedFrame(rgb, features, ceiling)
        if state.deadline.missed:
            warnings.append(
                f"pruning.target_rate, {self.config.pruning.target_rate:g}, is not held: with the fewest tokens that "
                "pruning.min_keep_ratio allows steps take longer. Lower it, or take a smaller model.image_size or model."
            )
        for row, target in enumerate(tracked):
            target.pruning.next_keep_ratio(motion.magnitude_of(row), motion.elapsed, ceiling)

        attention: list[AttentionCounts] = []
        viewed: tuple[TargetTokens, ...] = ()
        if tracked and frame is not None:
            attention, viewed = stages.track(state, tracked, frame, motion, watch, view_tokens)
        for target in state.targets.targets:
            target.observe(motion.seconds, self.config)
        state.since_keyframe += motion.seconds
        with watch.stage("ground"):
            state = state if frame is None else stages.ground(state, frame, warnings)
        with watch.stage("search"):
            state = state if frame is None else stages.search(state, frame, warnings)
        with watch.stage("resize"):
            objects = _objects(state.targets.targets, size, self.config)

        ratios = [target.pruning.keep_ratio for target in state.targets.targets if target.memory is not None]
        keep_ratio = fmean(ratios or [Budget(self.config.pruning).update(0.0, 0.0, True, ceiling)])
        state.index += 1
        # Fewer tokens make no start and no search any shorter: the deadline is that of tracking.
        state.step_seconds = sum(seconds for stage, seconds in watch.seconds.items() if stage not in FINDING_STAGES)
        result = TrackResult(
            stamp_ns=stamp_ns,
            size=size,
            frame_index=state.index - 1,
            objects=objects,
            motion=motion.magnitude,
            keep_ratio=keep_ratio,
            tokens_kept=token_count(keep_ratio, self._sam.token_count),
            tokens_total=self._sam.token_count,
            stage_seconds=watch.seconds,
            warnings=tuple(warnings),
            untrained=self.untrained,
            attention=tuple(attention),
            attention_flops=sum(self._sam.attention_size.flops(counts) for counts in attention),
            tokens=TokenView(stages.pruner.router.on, viewed, self.config.pruning.full_motion) if view_tokens else None,
        )
        state.last = LastLook.of(rgb, result) if self.config.max_skip else None
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
        result = last.result_at(stamp_ns, state.index, watch.seconds, warnings)
    state.last = last.again()
    state.index += 1
    return state, result


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


def _check_frame(frame: npt.NDArray[np.uint8]) -> None:
    if not isinstance(frame, np.ndarray) or frame.dtype != np.uint8 or frame.ndim != 3 or frame.shape[2] != 3:
        what = f"{frame.dtype} {frame.shape}" if isinstance(frame, np.ndarray) else type(frame).__name__
        raise InputError(f"A frame must be a uint8 array (H, W, 3) in RGB; this is {what}.")
    if 0 in frame.shape:
        raise InputError(f"The frame is empty: {frame.shape[1]} x {frame.shape[0]} pixels.")
