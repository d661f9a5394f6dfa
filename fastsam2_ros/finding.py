"""The stages ground and search: targets are started where they were given, and found where they are looked for."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
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
from fastsam2_ros.language.search import NONE, TextSearch
from fastsam2_ros.look import Look, likeness, looks_of
from fastsam2_ros.pruning.pruner import TokenPruner
from fastsam2_ros.refinding import find_by_look
from fastsam2_ros.results import Box
from fastsam2_ros.seen import BETTER_LOOK, FOUND_LOOK, least_look, remember_look
from fastsam2_ros.streaming.model import StreamingSam2
from fastsam2_ros.streaming.prompts import Prompt, box_mask, clip_box
from fastsam2_ros.streaming.values import Decoded, masks_at
from fastsam2_ros.targets import SIGHTINGS, Request, Target
from fastsam2_ros.text_cue import TextCue
from fastsam2_ros.tracker_state import EncodedFrame, TrackerState

SAME_THING = 0.5
"""A found mask whose IoU with that of another target is above this is that target."""
UNNAMED = "object"
"""Description of a mask that came without one."""
_log = logging.getLogger(__name__)


class Finding:
    """Starts targets, and finds them again; each from the next frame on.

    Args:
        sam: SAM 2.
        search: the language model.
        finder: finds targets in place of `search`, where there is one.
        pruner: decides which tokens of a prompt's frame are remembered.
        text_cue: of this pruner.
        config: settings.
    """

    def __init__(
        self,
        sam: StreamingSam2,
        search: TextSearch,
        finder: Finder | None,
        pruner: TokenPruner,
        text_cue: TextCue,
        config: TrackerConfig,
    ) -> None:
        self._sam = sam
        self._search = search
        self._finder = finder or search
        self._pruner = pruner
        self._text_cue = text_cue
        self._config = config
        self._language = config.language.suited(config.model.name)
        self._logged: set[type[Exception]] = set()  # with their tracebacks: one of a kind is enough

    @property
    def can_search(self) -> bool:
        """Whether something can find targets by their texts."""
        return self._finder is not self._search or self._search.config.name != NONE

    def ground(self, state: TrackerState, frame: EncodedFrame, warnings: list[str]) -> TrackerState:
        """Start what was given since the last frame."""
        for request in state.targets.take_waiting():
            state = self._attempt(state, partial(self._start, request=request, frame=frame), warnings)
        return state

    def search(
        self, state: TrackerState, frame: EncodedFrame, camera: npt.NDArray[np.float64], warnings: list[str]
    ) -> TrackerState:
        """Search what is not found yet, or not again: all of it while nothing is tracked, else one.

        That is one that is to be looked at again, or the one that waits longest. camera: `Motion.camera` since the last frame.
        """
        targets = state.targets.targets
        for target in targets:
            target.follow(camera)
        due = [place for place, target in enumerate(targets) if target.to_search(self._config)]
        if any(target.shown for target in targets):
            due = sorted(due, key=lambda place: (not targets[place].to_look_again, -targets[place].since_search))[:1]
        if due:
            found: dict[int, Grounding] = {}
            state = self._attempt(state, partial(self._search_for, places=due, frame=frame, found=found), warnings)
            for place in due:
                grounding, target = found.get(place), state.targets.targets[place]
                if target.sight(None if grounding is None else _shares(grounding.box, frame.features.size)):
                    change = partial(self._take_up, place=place, grounding=found[place], frame=frame)
                    state = self._attempt(state, change, warnings)
                elif target.to_look_again:
                    target.refused = f"something was found, and is looked at again ({target.sightings} of {SIGHTINGS})"
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
        """Without this, nothing would be known of the text of what a box started, which is not searched."""
        if not self._text_cue.due(state):
            return state
        state = self._attempt(state, partial(self._text_cue.learn, frame=frame), warnings)
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
        target = Target(name, False, named and self.can_search, self._pruner.new_state())
        state.targets.targets.append(target)
        self._text_cue.aim(state)
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
        by_language = bool(pictured) or not other_finder or self._text_cue.used
        dense = self._text_cue.learn(state, frame) if by_language else None
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
        features, pruner, pruning = frame.features, self._pruner, target.pruning
        size = float(decoded.covered)
        visible = size > 0 and bool((decoded.object_score > 0).all())
        trusted = self._config.uncertain_score
        pruning.prompted(decoded.low_res[0], look.token, score, size, visible, frame.ceiling, trusted_score=trusted)
        if pruning.certain or not target.looks:
            remember_look(target, look)
        ranked = None
        if pruner.active:
            shared = self._text_cue.frame_cues(state, [target], features)
            ranked = pruner.router.scores(shared, decoded.low_res, decoded.score)
        target.memory = target.memory or self._sam.new_memory()
        shares = pruner.shares(pruning.keep_ratio)
        self._sam.remember_prompt(features, decoded, target.memory, state.index, shares, ranked)
        target.found()
        state.targets.number(target)


def _shares(box: Box, size: tuple[int, int]) -> Box:
    """A box in pixels of a frame of `size` (H, W), as shares of it."""
    (height, width), (x, y, w, h) = size, box
    return x / width, y / height, w / width, h / height


def _held(mask_logits: Tensor, targets: Sequence[Target]) -> bool:
    """Whether what was found, (h, w), is a target already: one thing is never tracked twice."""
    masks = [target.pruning.mask for target in targets if target.shown]
    return any(mask is not None and mask_iou(mask_logits, mask[0]) > SAME_THING for mask in masks)
