"""The stages route, attend, decode and remember: what was found before is tracked through one more frame."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from torch import Tensor

from fastsam2_ros.config import TrackerConfig
from fastsam2_ros.look import looks_of
from fastsam2_ros.pruning.motion import Motion
from fastsam2_ros.pruning.pruner import TokenPruner
from fastsam2_ros.pruning.router import FrameCues
from fastsam2_ros.pruning.state import SETTLING_FRAMES
from fastsam2_ros.pruning.view import target_tokens
from fastsam2_ros.results import AttentionCounts, TargetTokens
from fastsam2_ros.seen import least_scores, remember_look
from fastsam2_ros.stopwatch import Stopwatch
from fastsam2_ros.streaming.memory import TargetMemory
from fastsam2_ros.streaming.model import StreamingSam2
from fastsam2_ros.streaming.shares import TokenShares
from fastsam2_ros.streaming.values import Decoded, FrameFeatures
from fastsam2_ros.targets import Target
from fastsam2_ros.text_cue import TextCue
from fastsam2_ros.tracker_state import EncodedFrame, TrackerState


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


class Tracking:
    """Tracks all targets in one batch.

    Args:
        sam: SAM 2.
        pruner: decides which tokens are left out.
        text_cue: of this pruner.
        config: settings.
        observer: as for `TextTracker`.
    """

    def __init__(
        self,
        sam: StreamingSam2,
        pruner: TokenPruner,
        text_cue: TextCue,
        config: TrackerConfig,
        observer: Callable[[Sequence[Observation]], None] | None,
    ) -> None:
        self._sam = sam
        self._pruner = pruner
        self._text_cue = text_cue
        self._config = config
        self._observer = observer

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
        pruner, features = self._pruner, frame.features
        carried = [target.pruning for target in tracked]
        shares = [pruner.shares(each.keep_ratio) for each in carried]
        memories = [target.memory for target in tracked if target.memory is not None]
        tokens: Sequence[Tensor | None] = [None] * len(tracked)
        routed: tuple[FrameCues, Tensor] | None = None
        with watch.stage("route"):
            if pruner.active or self._observer is not None:
                shared = self._text_cue.frame_cues(state, tracked, features)
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
            rows = zip(tracked, routed[1], maps, decoded.low_res, strict=True)
            self._observer(
                [
                    Observation(target.id, features.tokens, query_maps, memory_maps, mask, target.pruning.certain)
                    for target, query_maps, memory_maps, mask in rows
                ]
            )
        return attention, viewed

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
