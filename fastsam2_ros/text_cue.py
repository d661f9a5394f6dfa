"""The text cue of a tracker's targets: how relevant the tokens of a frame are to what the targets are described as."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor

from fastsam2_ros.config import TrackerConfig
from fastsam2_ros.language.search import TextSearch
from fastsam2_ros.pruning.pruner import TokenPruner
from fastsam2_ros.pruning.router import FrameCues
from fastsam2_ros.streaming.values import FrameFeatures
from fastsam2_ros.targets import Target, interval_after
from fastsam2_ros.tracker_state import EncodedFrame, TrackerState


class TextCue:
    """Keeps a state's `relevance`, if anyone wants it, and makes cues with it.

    Args:
        search: the language model.
        pruner: makes the other cues.
        config: settings.

    Attributes:
        used: tokens are chosen by it.
    """

    def __init__(self, search: TextSearch, pruner: TokenPruner, config: TrackerConfig) -> None:
        self._search = search
        self._pruner = pruner
        self._config = config
        self.used = "text" in pruner.router.on and pruner.active

    def aim(self, state: TrackerState) -> None:
        """Make it look for what the targets are described as."""
        if self.used:
            state.relevance.aim([target.wanted for target in state.targets.targets])

    def due(self, state: TrackerState) -> bool:
        """Whether a keyframe is to be taken for its own sake: what a box started is never searched before it is lost."""
        if not self.used or state.relevance.ready or not any(each.searchable for each in state.targets.targets):
            return False
        return state.since_keyframe >= interval_after(state.failed_keyframes, self._config)

    def learn(self, state: TrackerState, frame: EncodedFrame) -> Tensor | None:
        """Take a keyframe; its dense features, which a search can use too."""
        dense = self._search.dense(frame.rgb)
        if self.used:
            state.relevance.learn(frame.features, dense)
        return dense

    def frame_cues(self, state: TrackerState, targets: Sequence[Target], features: FrameFeatures) -> FrameCues:
        """All cues of a frame for some of the targets, whatever their masks are (`TokenPruner.frame_cues`)."""
        relevance = state.relevance.of(features.tokens) if self.used else None
        text = None if relevance is None else relevance[[state.targets.targets.index(target) for target in targets]]
        return self._pruner.frame_cues(features.tokens, [target.pruning for target in targets], text)
