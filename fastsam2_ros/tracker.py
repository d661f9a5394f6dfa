"""`TextTracker`: the whole public API of the core."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from statistics import fmean

import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F
from torch import Tensor

from fastsam2_ros.config import TrackerConfig, check
from fastsam2_ros.errors import InputError
from fastsam2_ros.language import descriptions
from fastsam2_ros.language.scoring import mask_iou
from fastsam2_ros.language.search import NONE, TextSearch
from fastsam2_ros.pruning import cues
from fastsam2_ros.pruning.budget import Budget, Deadline
from fastsam2_ros.pruning.motion import Motion, MotionEstimator
from fastsam2_ros.pruning.router import FrameCues, Router, best_tokens, find_scorer
from fastsam2_ros.pruning.view import target_tokens
from fastsam2_ros.results import AttentionCounts, Box, TargetTokens, TokenView, TrackedObject, TrackResult, TrackState
from fastsam2_ros.stopwatch import Stopwatch
from fastsam2_ros.streaming.loading import LoadedSam2, load_sam2
from fastsam2_ros.streaming.prompts import Prompt, check_box, check_mask, clip_box
from fastsam2_ros.streaming.shares import Shares, token_count
from fastsam2_ros.streaming.values import Decoded, FrameFeatures
from fastsam2_ros.targets import Target

MAX_ID = 65535
"""Ids have to fit the 16 bits of the labels image."""
SAME_THING = 0.5
"""A found mask whose IoU with that of a tracked target is above this is that target."""
_UNNAMED = "object"


class TextTracker:
    """Finds what a text describes and tracks it, one frame at a time.

    Not thread-safe: one thread calls it (the node's worker). Time and memory of a step do not grow with the number of
    steps before it.
    """

    def __init__(self, sam: LoadedSam2, search: TextSearch, config: TrackerConfig) -> None:
        check(config)
        self.config = config
        self._sam = sam.streaming
        self._untrained = sam.untrained
        self._search = search
        search.share_trunk(self._sam.trunk_map)
        self._targets: list[Target] = []
        self._boxes: list[Box] = []
        self._masks: list[tuple[npt.NDArray[np.bool_], str]] = []
        self._ids = itertools.count(1)
        self._index = 0
        self._motion = MotionEstimator()
        self._deadline = Deadline(config.pruning)
        width = self._sam.model.hidden_dim
        self._router = Router(find_scorer(config.pruning, sam.name, width, self._sam.device))
        self._step_seconds = 0.0

    @classmethod
    def from_config(cls, config: TrackerConfig) -> TextTracker:
        """Load models.

        Raises:
            ModelError: weights, configuration or device cannot be had.
            InputError: a setting is out of its range.
        """
        check(config)
        sam = load_sam2(config.model)
        return cls(sam, TextSearch(config.language.suited(config.model.name), sam.streaming.device), config)

    @property
    def untrained(self) -> bool:
        """True where the weights of SAM 2 or of the language model are random."""
        return self._untrained or self._search.untrained

    @property
    def device(self) -> torch.device:
        """Where the models run."""
        return self._sam.device

    @property
    def memory_bytes(self) -> int:
        """Bytes that the memory of all targets takes."""
        return sum(target.memory.size_bytes() for target in self._targets if target.memory is not None)

    def set_target(self, text: str) -> tuple[str, ...]:
        """Track what the text describes; descriptions separated by ';'. Blank text: track nothing.

        Targets with these descriptions go on undisturbed, all others end. Cheap: the search is done by `step`.

        Returns:
            the descriptions that are tracked or looked for from now on.

        Raises:
            InputError: too long, or too many; the targets then stay as they were.
        """
        wanted = descriptions.split(text, self.config.max_targets)
        if wanted:
            self._search.require()
        present = {target.description: target for target in self._targets}
        # Ids are drawn before anything changes, so that a refusal leaves all as it was.
        self._targets = [present.get(each) or self._new_target(each, searchable=True) for each in wanted]
        self._boxes.clear()
        self._masks.clear()
        self._search.aim(wanted)
        return wanted

    def set_box(self, box: Box) -> None:
        """Track what is in this box of the next frame, beside the present targets.

        Args:
            box: x, y, width, height in pixels of that frame.

        Raises:
            InputError: the box is empty or not finite, or there are too many targets. (Outside the frame: a warning of
                the next result.)
        """
        check_box(box)
        self._require_room()
        self._boxes.append(box)

    def set_mask(self, mask: npt.NDArray[np.bool_], description: str = _UNNAMED) -> None:
        """Track what this mask covers in the next frame, beside the present targets. Ids rise in the order of calls.

        Args:
            mask: bool (H, W) of that frame.
            description: text; with one, the target is searched by it where it is lost.

        Raises:
            InputError: not such a mask, nothing in it, or too many targets. (Of another size than the frame: a warning of
                the next result.)
        """
        check_mask(mask)
        self._require_room()
        self._masks.append((mask, description))

    def step(
        self,
        frame: npt.NDArray[np.uint8],
        stamp_ns: int,
        *,
        features: FrameFeatures | None = None,
        view_tokens: bool = False,
    ) -> TrackResult:
        """Track through one more frame.

        Args:
            frame: uint8 (H, W, 3), RGB; any size, which may change between frames.
            stamp_ns: nanoseconds; where it does not rise, the last good interval is taken.
            features: what this model's encoder made of the frame, where another tracker has had it encoded already.
            view_tokens: tell in the result's `tokens` what was pruned and why.

        Raises:
            InputError: not such an array; the tracker's state is then unchanged.
        """
        _check_frame(frame)
        watch = Stopwatch(self.device)
        warnings: list[str] = []
        with watch.stage("encode"):
            features = self._sam.encode(frame) if features is None else features
        with watch.stage("motion"):
            tracked = [target for target in self._targets if target.memory is not None]
            motion = self._motion.update(frame, stamp_ns, _where(tracked))
        if not motion.stamp_ok:
            warnings.append(
                f"The stamp {stamp_ns} ns does not rise; took {motion.seconds * 1e3:.0f} ms as the interval."
            )
        highest = max((target.keep_ratio for target in tracked), default=1.0)
        ceiling = self._deadline.update(self._step_seconds, highest)
        for row, target in enumerate(tracked):
            target.take_share(motion.magnitude_of(row), motion.seconds, ceiling)

        attention: list[AttentionCounts] = []
        viewed: tuple[TargetTokens, ...] = ()
        if tracked:
            attention, viewed = self._track(tracked, features, motion, watch, view_tokens)
        sought = [target for target in self._targets if target.memory is None]
        for target in sought:
            target.observe(False, 0.0, motion.seconds, self.config)
        with watch.stage("ground"):
            self._start_boxes(frame, features, ceiling, warnings)
            self._start_masks(features, ceiling, warnings)
            self._find(frame, features, ceiling)
            if self._prunes and "text" in self._router.on and any(each.searchable for each in self._targets):
                self._search.prepare(frame, features)
        with watch.stage("resize"):
            objects = self._objects(features)

        ratios = [target.keep_ratio for target in self._targets if target.memory is not None]
        ratios = ratios or [Budget(self.config.pruning).update(0.0, 0.0, True, ceiling)]
        keep_ratio = fmean(ratios)
        self._index += 1
        self._step_seconds = sum(watch.seconds.values())
        return TrackResult(
            stamp_ns=stamp_ns,
            size=features.size,
            frame_index=self._index - 1,
            objects=objects,
            motion=motion.magnitude,
            keep_ratio=keep_ratio,
            tokens_kept=token_count(self._shares(keep_ratio).queries, self._sam.token_count),
            tokens_total=self._sam.token_count,
            stage_seconds=watch.seconds,
            warnings=tuple(warnings),
            untrained=self.untrained,
            attention=tuple(attention),
            attention_flops=sum(self._sam.attention_size.flops(counts) for counts in attention),
            tokens=TokenView(self._router.on, viewed, self.config.pruning.full_motion) if view_tokens else None,
        )

    def reset(self) -> None:
        """Forget all targets, and all memory. Ids go on rising."""
        self._targets.clear()
        self._boxes.clear()
        self._masks.clear()
        self._motion = MotionEstimator()
        self._deadline = Deadline(self.config.pruning)

    # ---- the stages ----

    def _track(
        self, tracked: Sequence[Target], features: FrameFeatures, motion: Motion, watch: Stopwatch, view_tokens: bool
    ) -> tuple[list[AttentionCounts], tuple[TargetTokens, ...]]:
        """Route, attend, decode and remember, for all targets that were found before."""
        fill_policy = self.config.pruning.fill
        shares = [self._shares(target.keep_ratio) for target in tracked]
        memories = [target.memory for target in tracked if target.memory is not None]
        tokens: Sequence[Tensor | None] = [None] * len(tracked)
        with watch.stage("route"):
            if self._prunes:
                shared = self._frame_cues(tracked, features)
                masks = torch.stack([target.low_res for target in tracked if target.low_res is not None])
                trust = torch.tensor([target.score for target in tracked], device=self.device)
                maps = self._router.cue_maps(shared, masks, trust, motion.camera, motion.reaches)
                rows = zip(memories, self._router.scorer(features.tokens, maps).split(1), shares, strict=True)
                tokens = [
                    None if self._sam.needs_all(memory, fill_policy) else best_tokens(scores, share.queries)[0]
                    for memory, scores, share in rows
                ]
        viewed: tuple[TargetTokens, ...] = ()
        if view_tokens:
            contributions = self._router.contributions(features.tokens, maps) if self._prunes else None
            viewed = target_tokens([target.id for target in tracked], tokens, contributions, features.grid)
        with watch.stage("attend"):
            attention = self._sam.attention_counts(memories, self._index, tokens, fill_policy)
            conditioned = self._sam.condition(features, memories, self._index, tokens, fill_policy, motion.camera)
        with watch.stage("decode"):
            decoded = self._sam.decode(features, conditioned)
            score, covered = decoded.score, decoded.covered
            visible = (decoded.object_score > 0) & (covered > 0)
            seen, values, sizes = visible.tolist(), score.tolist(), covered.tolist()
        with watch.stage("remember"):
            key_scores = None
            if self._prunes:
                # The frame's own mask is known now: what is kept of it goes by that.
                key_scores = self._router.scores(shared, decoded.low_res, score)
            self._sam.remember(features, decoded, memories, self._index, shares, key_scores)
            prototypes = cues.prototype(features.tokens, decoded.low_res, features.grid)
        for row, target in enumerate(tracked):
            target.observe(seen[row], values[row], motion.seconds, self.config)
            target.low_res, target.size = decoded.low_res[row], sizes[row]
            if target.state == TrackState.TRACKING:
                target.prototype = prototypes[row]
        return attention, viewed

    def _start_boxes(
        self, frame: npt.NDArray[np.uint8], features: FrameFeatures, ceiling: float, warnings: list[str]
    ) -> None:
        """Start a target for every box that was given since the last frame."""
        boxes, self._boxes = self._boxes, []
        for box in boxes:
            try:
                inside = clip_box(box, features.size)
            except InputError as error:
                warnings.append(str(error))
                continue
            searchable = self._search.config.name != NONE
            target = self._new_target(self._search.describe(frame, inside), searchable)
            self._start(target, Prompt.from_box(inside), features, ceiling)

    def _start_masks(self, features: FrameFeatures, ceiling: float, warnings: list[str]) -> None:
        """Start a target for every mask that was given since the last frame."""
        masks, self._masks = self._masks, []
        for mask, description in masks:
            if mask.shape != features.size:
                warnings.append(
                    f"The mask of '{description}' is {mask.shape}, but the frame is {features.size} (H, W)."
                )
                continue
            searchable = self._search.config.name != NONE and description != _UNNAMED
            target = self._new_target(description, searchable)
            self._start(target, Prompt.from_mask(mask), features, ceiling)

    def _start(self, target: Target, prompt: Prompt, features: FrameFeatures, ceiling: float) -> None:
        """Take a target up whose place in this frame is known."""
        decoded = self._sam.decode_prompt(features, prompt)
        self._targets.append(target)
        self._search.aim([each.description for each in self._targets])
        self._prompt(target, features, decoded, float(decoded.score), ceiling)

    def _find(self, frame: npt.NDArray[np.uint8], features: FrameFeatures, ceiling: float) -> None:
        """Search what is not found yet, or not again."""
        sought = [target for target in self._targets if target.to_search(self.config)]
        if not sought:
            return
        found = self._search.search(frame, features, [target.description for target in sought], self._sam)
        held = [
            target.low_res[0]
            for target in self._targets
            if target.state == TrackState.TRACKING and target.low_res is not None
        ]
        for target, grounding in zip(sought, found, strict=True):
            target.since_search = 0.0
            # One thing is never tracked twice: what another target holds already is not this one.
            if grounding is None or any(mask_iou(grounding.mask_logits, other) > SAME_THING for other in held):
                continue
            logits = F.interpolate(grounding.mask_logits[None, None], features.size, mode="bilinear")[0, 0]
            decoded = self._sam.decode_prompt(features, Prompt.from_mask((logits > 0).cpu().numpy()))
            self._prompt(target, features, decoded, grounding.score, ceiling)

    def _prompt(self, target: Target, features: FrameFeatures, decoded: Decoded, score: float, ceiling: float) -> None:
        """Write a prompt's mask into a target's memory; it is tracked from the next frame on."""
        target.low_res, target.size = decoded.low_res[0], float(decoded.covered)
        target.prototype = cues.prototype(features.tokens, decoded.low_res, features.grid)[0]
        target.memory = target.memory or self._sam.new_memory()
        key_scores = None
        if self._prunes:
            shared = self._frame_cues([target], features)
            key_scores = self._router.scores(shared, decoded.low_res, decoded.score)
        visible = target.size > 0 and bool((decoded.object_score > 0).all())
        target.found(visible, score, ceiling)
        shares = self._shares(target.keep_ratio)
        self._sam.remember_prompt(features, decoded, target.memory, self._index, shares, key_scores)

    # ---- pieces ----

    @property
    def _prunes(self) -> bool:
        return self.config.pruning.keep_ratio != 1.0

    def _shares(self, keep_ratio: float) -> Shares:
        pruning = self.config.pruning
        return Shares.of(keep_ratio, self._sam.memory_frames, pruning.query_exponent, pruning.keys)

    def _frame_cues(self, targets: Sequence[Target], features: FrameFeatures) -> FrameCues:
        blank = torch.zeros(features.tokens.shape[1], device=self.device)
        prototypes = torch.stack([blank if each.prototype is None else each.prototype for each in targets])
        relevance = self._search.relevance(features.tokens) if "text" in self._router.on else None
        text = None if relevance is None else relevance[[self._targets.index(target) for target in targets]]
        return self._router.frame_cues(features.tokens, features.grid, prototypes, text)

    def _objects(self, features: FrameFeatures) -> tuple[TrackedObject, ...]:
        height, width = features.size
        objects = []
        for target in self._targets:
            mask = np.zeros((height, width), bool)
            if target.low_res is not None:
                logits = F.interpolate(target.low_res[None], features.size, mode="bilinear", align_corners=False)
                mask = (logits[0, 0] > 0).cpu().numpy()
            objects.append(target.result(mask))
        return tuple(sorted(objects, key=lambda each: each.id))

    def _require_room(self) -> None:
        if len(self._targets) + len(self._boxes) + len(self._masks) >= self.config.max_targets:
            raise InputError(f"{self.config.max_targets} targets are tracked already (max_targets); end one first.")

    def _new_target(self, description: str, searchable: bool) -> Target:
        return Target(self._new_id(), description, searchable, Budget(self.config.pruning))

    def _new_id(self) -> int:
        number = next(self._ids)
        if number > MAX_ID:
            raise InputError(
                f"{MAX_ID} targets have been tracked, which is all that 16-bit labels hold; restart the tracker."
            )
        return number


def _where(targets: Sequence[Target]) -> npt.NDArray[np.bool_] | None:
    """Where each target was in the last frame: bool (targets, h, w), stretched over the frame; None without targets."""
    masks = [target.low_res for target in targets if target.low_res is not None]
    return None if not masks else (torch.cat(masks) > 0).cpu().numpy()


def _check_frame(frame: npt.NDArray[np.uint8]) -> None:
    if not isinstance(frame, np.ndarray) or frame.dtype != np.uint8 or frame.ndim != 3 or frame.shape[2] != 3:
        what = f"{frame.dtype} {frame.shape}" if isinstance(frame, np.ndarray) else type(frame).__name__
        raise InputError(f"A frame must be a uint8 array (H, W, 3) in RGB; this is {what}.")
    if 0 in frame.shape:
        raise InputError(f"The frame is empty: {frame.shape[1]} x {frame.shape[0]} pixels.")
