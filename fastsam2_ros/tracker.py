"""`TextTracker`: the whole public API of the core."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from typing import NoReturn

import numpy as np
import numpy.typing as npt
import torch

from fastsam2_ros.config import TrackerConfig, check, fixed_differences
from fastsam2_ros.errors import InputError
from fastsam2_ros.finding import UNNAMED
from fastsam2_ros.language import descriptions
from fastsam2_ros.language.finder import Finder
from fastsam2_ros.language.search import NONE, TextSearch
from fastsam2_ros.pruning.budget import Deadline
from fastsam2_ros.pruning.router import Scorer
from fastsam2_ros.results import Box, TrackResult
from fastsam2_ros.stages import Stages
from fastsam2_ros.stopwatch import Stopwatch
from fastsam2_ros.streaming.loading import LoadedSam2, load_sam2
from fastsam2_ros.streaming.prompts import check_box, check_mask
from fastsam2_ros.streaming.values import FrameFeatures, Grid
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
        scorer: of tokens, in place of the weighted sum of the cues.
        clock: seconds, by which stages are timed.

    Scorers and finders are called within a step: there, what changes the tracker raises `InputError`.
    """

    def __init__(
        self,
        sam: LoadedSam2,
        search: TextSearch,
        config: TrackerConfig,
        *,
        scorer: Scorer | None = None,
        clock: Callable[[], float] = time.perf_counter,
    ) -> None:
        check(config)
        self.config = config
        self._clock = clock
        self._loaded = sam
        self._sam = sam.streaming
        self._search = search
        self._in_step = False
        self._new_stages = partial(Stages, finder=None, scorer=scorer, clock=clock)
        with neutral_torch(inference=False):
            self._stages, self._small_stages = self._both_stages(config)
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

        It has no scorer or finder (`find_with`) of its own yet.
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
        return self._stages.untrained

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
    def next_grid(self) -> Grid:
        """(rows, columns) of the tokens of the next frame: fewer while `pruning.target_rate` wants small frames. Only what is
        alike in this is to be encoded together (`encode`).
        """
        small = self._small_stages
        return small.grid if small is not None and self._state.deadline.small else self._stages.grid

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
        if config.pruning != self.config.pruning:
            state.deadline = Deadline(config.pruning, self._loaded.small_side)
        state.last = None
        for target in state.targets.targets:
            target.pruning.budget.config = config.pruning
        with neutral_torch(inference=False):
            stages, small = self._both_stages(config)
            stages.text_cue.aim(state)
        self.config, self._stages, self._small_stages, self._state = config, stages, small, state

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
            for stages in self._both_stages(self.config):  # their log of errors is not that of the steps
                if stages is not None:
                    self._run_once(stages, frame)

    def _run_once(self, stages: Stages, frame: npt.NDArray[np.uint8]) -> None:
        """Find, start and track something, on a state of its own."""
        state = stages.blank_state(TargetList(2))
        if self._search.config.name != NONE:
            state.targets.name([UNNAMED], stages.new_target)
            stages.text_cue.aim(state)
        state.targets.ask(Request(box=(160.0, 120.0, 320.0, 240.0)))
        for index in range(3):
            state, _ = stages.advance(state, frame, index * 33_000_000, None, False)

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
        if wanted and not self._stages.finding.can_search:
            self._search.require()
        state = self._state.copy()
        state.targets.name(wanted, self._stages.new_target)
        with neutral_torch():
            self._stages.text_cue.aim(state)
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
            state.targets.show(self._stages.new_target(name, embedding))
            self._stages.text_cue.aim(state)
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
            encoded = self._stages_for(self.next_grid).encode(frames)
        seconds = watch.seconds()["encode"] / len(frames)
        return [replace(each, seconds=seconds) for each in encoded]

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
                stages = self._stages_for(self.next_grid if features is None else features.grid)
                state, result = stages.advance(self._state.copy(), frame, stamp_ns, features, view_tokens)
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

    def _both_stages(self, config: TrackerConfig) -> tuple[Stages, Stages | None]:
        """For frames as they are, and for small ones, where there are such."""
        sam, of = self._loaded, partial(self._new_stages, search=self._search, config=config)
        return of(sam), None if sam.small is None else of(LoadedSam2(sam.small, sam.untrained))

    def _stages_for(self, grid: Grid) -> Stages:
        """Those for frames of that grid."""
        small = self._small_stages
        return small if small is not None and grid == small.grid else self._stages

    def _refuse_in_step(self, method: str) -> None:
        """What the step works on takes the place of everything at its end: a change beside it would be lost."""
        if self._in_step:
            raise InputError(f"{method} was called within a step, by a scorer or finder; call it after the step.")


def _check_frame(frame: npt.NDArray[np.uint8]) -> None:
    if not isinstance(frame, np.ndarray) or frame.dtype != np.uint8 or frame.ndim != 3 or frame.shape[2] != 3:
        what = f"{frame.dtype} {frame.shape}" if isinstance(frame, np.ndarray) else type(frame).__name__
        raise InputError(f"A frame must be a uint8 array (H, W, 3) in RGB; this is {what}.")
    if 0 in frame.shape:
        raise InputError(f"The frame is empty: {frame.shape[1]} x {frame.shape[0]} pixels.")
