"""What a step does, stage by stage, to the state of a tracker."""

from __future__ import annotations

import copy
import logging
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
import numpy.typing as npt
from torch import Tensor

from fastsam2_ros.config import TrackerConfig
from fastsam2_ros.errors import InputError
from fastsam2_ros.language import descriptions
from fastsam2_ros.language.finder import Finder
from fastsam2_ros.language.grounding import Grounding
from fastsam2_ros.language.scoring import mask_iou
from fastsam2_ros.language.search import NONE, TextRelevance, TextSearch
from fastsam2_ros.look import Look, likeness, looks_of
from fastsam2_ros.pruning.budget import Deadline
from fastsam2_ros.pruning.motion import Motion, MotionEstimator
from fastsam2_ros.pruning.pruner import TokenPruner
from fastsam2_ros.pruning.router import FrameCues, Scorer, find_scorer
from fastsam2_ros.pruning.state import SETTLING_FRAMES
from fastsam2_ros.pruning.view import target_tokens
from fastsam2_ros.refinding import find_by_look
from fastsam2_ros.results import AttentionCounts, TargetTokens
from fastsam2_ros.seen import BETTER_LOOK, FOUND_LOOK, least_look, least_scores, remember_look
from fastsam2_ros.stillness import LastLook
from fastsam2_ros.stopwatch import Stopwatch
from fastsam2_ros.streaming.loading import LoadedSam2
from fastsam2_ros.streaming.memory import TargetMemory
from fastsam2_ros.streaming.prompts import Prompt, box_mask, clip_box
from fastsam2_ros.streaming.shares import TokenShares
from fastsam2_ros.streaming.values import Decoded, FrameFeatures, masks_at
from fastsam2_ros.targets import Request, Target, TargetList, interval_after

SAME_THING = 0.5
"""A found mask whose IoU with that of another target is above this is that target."""
UNNAMED = "object"
"""Description of a mask that came without one."""
_log = logging.getLogger(__name__)


@dataclass
class TrackerState:
    """Everything that changes from step to step. A step works on a copy, which takes the place of the old one at its end.

    Attributes:
        targets: who is tracked.
        motion, deadline, relevance: what they remember.
        index: of the next frame.
        since_keyframe: seconds since a keyframe of the text cue was last tried for its own sake.
        failed_keyframes: of those, in a row.
        step_seconds: what the last step took; 0 before the first.
        last: what the last frame showed; None where no frame may be skipped.
    """

    targets: TargetList
    motion: MotionEstimator
    deadline: Deadline
    relevance: TextRelevance
    index: int = 0
    since_keyframe: float = math.inf
    failed_keyframes: int = 0
    step_seconds: float = 0.0
    last: LastLook | None = None

    def copy(self) -> TrackerState:
        """One that changes by itself. Tensors are shared: they never change."""
        return replace(
            self,
            targets=self.targets.copy(),
            motion=copy.copy(self.motion),
            deadline=copy.copy(self.deadline),
            relevance=self.relevance.copy(),
        )


@dataclass(frozen=True)
class EncodedFrame:
    """What all stages of a step look at.

    Attributes:
        rgb: uint8 (H, W, 3).
        features: what the image encoder made of it.
        ceiling: the highest keep ratio that the deadline allows, (0, 1].
    """

    rgb: npt.NDArray[np.uint8]
    features: FrameFeatures
    ceiling: float


@dataclass(frozen=True)
class Observation:
    """One target in one tracked frame, for who watches the tracker (`TextTracker`'s `observer`).

    Attributes:
        id: the target's.
        tokens: (N, C), of the image encoder.
        query_maps: float32 (len(CUES), N), cues by the last frame's mask, as the queries are chosen by.
        memory_maps: the same by this frame's own mask, as the memory's tokens are chosen by.
        mask: float32 (1, h, w), mask logits.
        certain: the mask is trusted.
    """

    id: int
    tokens: Tensor
    query_maps: Tensor
    memory_maps: Tensor
    mask: Tensor
    certain: bool


class Stages:
    """Models and settings, and nothing of any video: what a step does to a `TrackerState`.

    Args:
        sam, search, config, scorer, observer: as for `TextTracker`.
        finder: finds targets in place of `search`, where there is one.

    Attributes:
        pruner: decides which tokens are left out.
    """

    def __init__(
        self,
        sam: LoadedSam2,
        search: TextSearch,
        config: TrackerConfig,
        *,
        finder: Finder | None,
        scorer: Scorer | None,
        observer: Callable[[Sequence[Observation]], None] | None,
    ) -> None:
        self._finder = finder or search
        self._config = config
        self._language = config.language.suited(config.model.name)
        self._sam = sam.streaming
        self._search = search
        self._observer = observer
        self._logged: set[type[Exception]] = set()  # with their tracebacks: one of a kind is enough
        scorer = scorer or find_scorer(config.pruning, sam.name, self._sam.model.hidden_dim, self._sam.device)
        self.pruner = TokenPruner(config.pruning, scorer, self._sam.grid, self._sam.memory_frames)

    def idle(self, state: TrackerState, seconds: float) -> bool:
        """Whether a frame needs no model: nothing is tracked, given, or due to be searched. seconds: since the last frame."""
        targets = state.targets
        return not targets.waiting and not any(
            each.memory is not None or each.to_search(self._config, seconds) for each in targets.targets
        )

    def track(
        self,
        state: TrackerState,
        tracked: Sequence[Target],
        frame: EncodedFrame,
        motion: Motion,
        watch: Stopwatch,
        view_tokens: bool,
    ) -> tuple[list[AttentionCounts], tuple[TargetTokens, ...]]:
        """Route, attend, decode and remember, for all targets that were found before."""
        pruner, features = self.pruner, frame.features
        carried = [target.pruning for target in tracked]
        shares = [pruner.shares(each.keep_ratio) for each in carried]
        memories = [target.memory for target in tracked if target.memory is not None]
        tokens: Sequence[Tensor | None] = [None] * len(tracked)
        routed: tuple[FrameCues, Tensor] | None = None
        with watch.stage("route"):
            if pruner.active or self._observer is not None:
                shared = self._frame_cues(state, tracked, features)
                routed = shared, pruner.query_maps(shared, carried, motion.camera, motion.reaches)
                tokens = pruner.queries(features.tokens, routed[1], carried) if pruner.active else tokens
        viewed: tuple[TargetTokens, ...] = ()
        if view_tokens:
            contributions = (
                pruner.router.contributions(features.tokens, routed[1]) if routed and pruner.active else None
            )
            viewed = target_tokens([target.id for target in tracked], tokens, contributions, features.grid)
        with watch.stage("attend"):
            attention = self._sam.attention_counts(memories, state.index, tokens)
            before = [each.conditioned for each in carried]
            conditioned = self._sam.condition(features, memories, state.index, tokens, before, motion.camera)
        with watch.stage("decode"):
            decoded = self._sam.decode(features, conditioned)
            looks = looks_of(features.picture, features, decoded.low_res)
            visible = (decoded.object_score > 0) & (decoded.covered > 0)
            visible &= decoded.score >= least_scores(tracked, looks, self._config.seen_score).to(visible.device)
            decoded = decoded.where(visible)
            seen, scores, sizes = visible.tolist(), decoded.score.tolist(), decoded.covered.tolist()
        with watch.stage("remember"):
            due = [
                visible and self._is_due(target, state.index, score)
                for target, visible, score in zip(tracked, seen, scores, strict=True)
            ]
            # The frame's own mask is known now: what is kept of the frame goes by that.
            maps = None if routed is None else pruner.router.cue_maps(routed[0], decoded.low_res, decoded.score)
            ranked = None if maps is None or not pruner.active else pruner.router.scorer(features.tokens, maps)
            self._remember(state.index, features, decoded, memories, due, shares, ranked)
        for row, each in enumerate(carried):
            each.observe(
                decoded.low_res[row],
                conditioned[row] if pruner.active else None,
                scores[row],
                sizes[row],
                seen[row],
                motion.seconds,
                trusted_score=self._config.uncertain_score,
                lost_seconds=self._config.lost_seconds,
            )
            if each.certain:
                each.prototype = looks[row].token
                remember_look(tracked[row], looks[row])
        if self._observer is not None and routed is not None and maps is not None:
            self._observer(
                [
                    Observation(
                        target.id,
                        features.tokens,
                        routed[1][row],
                        maps[row],
                        decoded.low_res[row],
                        target.pruning.certain,
                    )
                    for row, target in enumerate(tracked)
                ]
            )
        return attention, viewed

    def ground(self, state: TrackerState, frame: EncodedFrame, warnings: list[str]) -> TrackerState:
        """Start what was given since the last frame."""
        for request in state.targets.take_waiting():
            state = self._attempt(state, partial(self._start, request=request, frame=frame), warnings)
        return state

    def search(self, state: TrackerState, frame: EncodedFrame, warnings: list[str]) -> TrackerState:
        """Search what is not found yet, or not again: all of it while nothing is tracked, else what waits longest."""
        targets = state.targets.targets
        due = [place for place, target in enumerate(targets) if target.to_search(self._config)]
        if any(target.shown for target in targets):
            due = sorted(due, key=lambda place: -targets[place].since_search)[:1]
        if due:
            found: dict[int, Grounding] = {}
            state = self._attempt(state, partial(self._search_for, places=due, frame=frame, found=found), warnings)
            for place, grounding in found.items():
                state = self._attempt(
                    state, partial(self._take_up, place=place, grounding=grounding, frame=frame), warnings
                )
            for place in due:
                target = state.targets.targets[place]
                target.searched(found=target.shown)
        lost = [place for place, each in enumerate(state.targets.targets) if each.to_search_by_look(self._config)]
        if lost:
            place = max(lost, key=lambda place: state.targets.targets[place].since_look)
            state = self._attempt(state, partial(self._search_by_look, place=place, frame=frame), warnings)
            state.targets.targets[place].since_look = 0.0
        return self._keyframe(state, frame, warnings)

    def _search_by_look(self, state: TrackerState, place: int, frame: EncodedFrame) -> None:
        """Take up what looks like a lost target, or more like it than what is taken for it."""
        target = state.targets.targets[place]
        others = [each for each in state.targets.targets if each is not target]
        least = max(FOUND_LOOK, 0.0 if target.pruning.unseen else target.alike + BETTER_LOOK)
        found = find_by_look(frame.features, target.looks, self._sam, least)
        if found is not None and not _held(found.decoded.low_res[0, 0], others):
            self._prompt(state, target, frame, found.decoded, float(found.decoded.score), found.look)

    def _keyframe(self, state: TrackerState, frame: EncodedFrame, warnings: list[str]) -> TrackerState:
        """What a box started was never searched: without this, nothing would be known of its text."""
        if not self._uses_text or state.relevance.ready or not any(each.searchable for each in state.targets.targets):
            return state
        if state.since_keyframe < interval_after(state.failed_keyframes, self._config):
            return state
        state = self._attempt(state, partial(self._learn, frame=frame), warnings)
        state.since_keyframe = 0.0
        state.failed_keyframes = 0 if state.relevance.ready else state.failed_keyframes + 1
        return state

    def _attempt(
        self, state: TrackerState, change: Callable[[TrackerState], object], warnings: list[str]
    ) -> TrackerState:
        """The state with a change made to it, or as it is with a warning where that fails."""
        trial = state.copy()
        try:
            change(trial)
        except InputError as error:
            warnings.append(str(error))
        except Exception as error:
            if type(error) not in self._logged:
                self._logged.add(type(error))
                _log.exception("A target could not be started or searched; tracking goes on.")
            warnings.append(f"Starting or searching a target failed ({type(error).__name__}: {error}).")
        else:
            return trial
        return state

    def _start(self, state: TrackerState, request: Request, frame: EncodedFrame) -> None:
        """Start a target whose place in this frame was given.

        Raises:
            InputError: it is not in this frame.
        """
        size = frame.features.size
        if request.box is not None:
            inside = clip_box(request.box, size)
            name = self._search.describe(frame.rgb, inside)
            decoded = self._sam.decode_prompt(frame.features, Prompt.from_box(inside))
            if not decoded.covered > 0:  # nothing stands out in it: what was given counts
                decoded = self._sam.decode_prompt(frame.features, Prompt.from_mask(box_mask(inside, size)))
        else:
            mask, name = request.mask, request.description
            if mask is None or mask.shape != size:
                shape = None if mask is None else mask.shape
                raise InputError(f"The mask of '{name}' is {shape}, but the frame is {size} (H, W).")
            decoded = self._sam.decode_prompt(frame.features, Prompt.from_mask(mask))
        named = request.box is not None or descriptions.key(name) != UNNAMED
        target = self.new_target(name, by_text=False, searchable=named and self.can_search)
        state.targets.targets.append(target)
        self.aim(state)
        (look,) = looks_of(frame.features.picture, frame.features, decoded.low_res)
        self._prompt(state, target, frame, decoded, float(decoded.score), look)

    def _search_for(
        self, state: TrackerState, places: Sequence[int], frame: EncodedFrame, found: dict[int, Grounding]
    ) -> None:
        """Search the targets at those places of the list; `found` gets what is, by place."""
        targets = state.targets.targets
        for place in places:
            targets[place].refused = ""
        others = [target.description for target in targets if target.shown and target.searchable]
        other_finder = self._finder is not self._search
        pictured = [place for place in places if other_finder and targets[place].example is not None]
        named = [place for place in places if place not in pictured]
        by_language = bool(pictured) or not other_finder or self._uses_text
        dense = self._learn(state, frame) if by_language else None
        # What an example shows has no name that another finder could go by.
        for finder, own in ((self._finder, named), (self._search, pictured)):
            wanted = [targets[place].wanted for place in own]
            if wanted:
                results = finder.search(
                    frame.rgb, frame.features, wanted, self._sam, self._language, dense=dense, others=others
                )
                found.update({place: each for place, each in zip(own, results, strict=True) if each is not None})

    def _take_up(self, state: TrackerState, place: int, grounding: Grounding, frame: EncodedFrame) -> None:
        """Track what was found, unless another target is that already, or it does not look like what was lost."""
        target, features = state.targets.targets[place], frame.features
        if _held(grounding.mask_logits, state.targets.targets):
            target.refused = "what was found is tracked already"
            return
        (mask,) = masks_at(grounding.mask_logits[None, None], features.size)
        decoded = self._sam.decode_prompt(features, Prompt.from_mask(mask))
        (look,) = looks_of(features.picture, features, decoded.low_res)
        alike = likeness(look, target.looks)
        least = least_look(grounding.margin - self._language.min_margin)
        if alike < least:
            target.refused = f"what was found does not look like it ({alike:.2f}, at least {least:.2f})"
            return
        self._prompt(state, target, frame, decoded, grounding.score, look)

    def _prompt(
        self, state: TrackerState, target: Target, frame: EncodedFrame, decoded: Decoded, score: float, look: Look
    ) -> None:
        """Write a prompt's mask into a target's memory; it is tracked from the next frame on. look: of that mask."""
        features, pruner, pruning = frame.features, self.pruner, target.pruning
        size = float(decoded.covered)
        visible = size > 0 and bool((decoded.object_score > 0).all())
        trusted = self._config.uncertain_score
        pruning.prompted(decoded.low_res[0], look.token, score, size, visible, frame.ceiling, trusted_score=trusted)
        if pruning.certain or not target.looks:
            remember_look(target, look)
        ranked = None
        if pruner.active:
            shared = self._frame_cues(state, [target], features)
            ranked = pruner.router.scores(shared, decoded.low_res, decoded.score)
        target.memory = target.memory or self._sam.new_memory()
        shares = pruner.shares(pruning.keep_ratio)
        self._sam.remember_prompt(features, decoded, target.memory, state.index, shares, ranked)
        target.found()
        state.targets.number(target)

    def _learn(self, state: TrackerState, frame: EncodedFrame) -> Tensor | None:
        """Take a keyframe of the text cue; its dense features."""
        dense = self._search.dense(frame.rgb, frame.features)
        if self._uses_text:
            state.relevance.learn(frame.features, dense)
        return dense

    # ---- pieces ----

    def _is_due(self, target: Target, index: int, score: float) -> bool:
        """Whether a frame in which a target is seen is remembered: while it is sure, only some are.

        Args:
            target: as the last frame left it.
            index: of the frame.
            score: of its mask.
        """
        config, memory = self._config.pruning, target.memory
        sure = score >= self._config.uncertain_score and target.pruning.since_found >= SETTLING_FRAMES
        if config.keep_ratio > 0 or memory is None or not sure:
            return True
        # Targets take turns: their frames cost the same then.
        in_turn = (index + target.id) % config.memory_interval == 0
        return in_turn or memory.left_out + 1 >= config.memory_interval

    def _remember(
        self,
        index: int,
        features: FrameFeatures,
        decoded: Decoded,
        memories: Sequence[TargetMemory],
        due: Sequence[bool],
        shares: Sequence[TokenShares],
        ranked: Tensor | None,
    ) -> None:
        """Write a frame into the memory of each target that it is due for; further arguments as for `StreamingSam2.remember`.

        It is not where a target is not seen: it would teach the memory that what is there now is the target, or that there is
        none.
        """
        rows = [row for row, wanted in enumerate(due) if wanted]
        for row, memory in enumerate(memories):
            if not due[row]:
                memory.skip(index)
        if rows:
            own = [memories[row] for row in rows]
            kept = None if ranked is None else ranked[rows]
            self._sam.remember(features, decoded.of(rows), own, index, [shares[row] for row in rows], kept)

    @property
    def observed(self) -> bool:
        """Whether somebody looks at every step."""
        return self._observer is not None

    @property
    def can_search(self) -> bool:
        """Whether something can find targets by their texts."""
        return self._finder is not self._search or self._search.config.name != NONE

    @property
    def _uses_text(self) -> bool:
        return "text" in self.pruner.router.on and (self.pruner.active or self._observer is not None)

    def _frame_cues(self, state: TrackerState, targets: Sequence[Target], features: FrameFeatures) -> FrameCues:
        relevance = state.relevance.of(features.tokens) if self._uses_text else None
        text = None if relevance is None else relevance[[state.targets.targets.index(target) for target in targets]]
        return self.pruner.frame_cues(features.tokens, [target.pruning for target in targets], text)

    def aim(self, state: TrackerState) -> None:
        """Make the text cue look for what the targets are described as."""
        if self._uses_text:
            state.relevance.aim([target.wanted for target in state.targets.targets])

    def blank_state(self, targets: TargetList) -> TrackerState:
        """Before the first frame."""
        return TrackerState(targets, MotionEstimator(), Deadline(self._config.pruning), self._search.new_relevance())

    def new_target(self, description: str, *, by_text: bool, searchable: bool, example: Tensor | None = None) -> Target:
        """One that has not been found yet; arguments as the attributes of `Target`."""
        return Target(description, by_text, searchable, self.pruner.new_state(), example=example)


def _held(mask_logits: Tensor, targets: Sequence[Target]) -> bool:
    """Whether what was found, (h, w), is a target already: one thing is never tracked twice."""
    masks = [target.pruning.mask for target in targets if target.shown]
    return any(mask is not None and mask_iou(mask_logits, mask[0]) > SAME_THING for mask in masks)
