"""The stages route, attend, decode and remember: what was found before is tracked through one more frame."""

from __future__ import annotations

from collections.abc import Sequence

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
from fastsam2_ros.strays import whole_size, without_strays
from fastsam2_ros.streaming.memory import TargetMemory
from fastsam2_ros.streaming.model import StreamingSam2
from fastsam2_ros.streaming.shares import TokenShares
from fastsam2_ros.streaming.values import Decoded, FrameFeatures
from fastsam2_ros.targets import Target
from fastsam2_ros.text_cue import TextCue
from fastsam2_ros.tracker_state import EncodedFrame, TrackerState


class Tracking:
    """Tracks all targets in one batch.

    Args:
        sam: SAM 2.
        pruner: decides which tokens are left out.
        text_cue: of this pruner.
        config: settings.
    """

    def __init__(
        self,
        sam: StreamingSam2,
        pruner: TokenPruner,
        text_cue: TextCue,
        config: TrackerConfig,
    ) -> None:
        self._sam = sam
        self._pruner = pruner
        self._text_cue = text_cue
        self._config = config

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
            if pruner.active:
                shared = self._text_cue.frame_cues(state, tracked, features)
                routed = shared, pruner.query_maps(shared, carried, motion.camera, motion.reaches)
                tokens = pruner.queries(routed[1], carried)
        viewed: tuple[TargetTokens, ...] = ()
        if view_tokens:
            contributions = None if routed is None else pruner.router.contributions(routed[1])
            viewed = target_tokens([target.id for target in tracked], tokens, contributions, features.grid)
        with watch.stage("attend"):
            attention = self._sam.attention_counts(memories, state.index, tokens)
            before = [each.conditioned for each in carried]
            conditioned = self._sam.condition(features, memories, state.index, tokens, before, motion.camera)
        with watch.stage("decode"):
            decoded = self._sam.decode(features, conditioned)
            if self._config.seen_score:
                decoded = without_strays(decoded, carried, motion.camera)
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
            ranked = None if routed is None else pruner.router.scores(routed[0], decoded.low_res, decoded.score)
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
                each.whole = whole_size(decoded.low_res[row], each, motion.seconds)
                each.prototype = looks[row].token
                remember_look(tracked[row], looks[row], tracked[row].alike_first)
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
