"""Token pruning around memory attention, once for `TextTracker` and for the plug-in: cues, queries, and what memory keeps."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from fastsam2_ros.config import PruningConfig
from fastsam2_ros.pruning.budget import Budget
from fastsam2_ros.pruning.router import FrameCues, Router, Scorer, best_tokens
from fastsam2_ros.pruning.state import PruningState
from fastsam2_ros.streaming.shares import TokenShares
from fastsam2_ros.streaming.values import Grid
from fastsam2_ros.streaming.warp import STILL


class TokenPruner:
    """One configuration's rules; what is known of a target is in its `PruningState`.

    Args:
        config: settings.
        scorer: of tokens.
        grid: (rows, columns) of the tokens, whose product is N.
        memory_frames: attended to, one prompt frame included.

    Attributes:
        router: scores tokens.
        active: False where nothing is ever left out.
    """

    def __init__(self, config: PruningConfig, scorer: Scorer, grid: Grid, memory_frames: int) -> None:
        self.config = config
        self.router = Router(scorer)
        self.active = config.keep_ratio != 1 or config.memory_ratio not in (0, 1)
        self._grid = grid
        self._memory_frames = memory_frames

    def new_state(self) -> PruningState:
        """Of a target that has not been found yet."""
        return PruningState(Budget(self.config))

    def shares(self, keep_ratio: float) -> TokenShares:
        """What a keep ratio stands for."""
        return TokenShares.of(keep_ratio, self._memory_frames, self.config.memory_ratio)

    def frame_cues(self, tokens: Tensor, states: Sequence[PruningState], text: Tensor | None) -> FrameCues:
        """Cues of one frame whatever the masks are, for its queries and for its memory.

        Args:
            tokens: (N, C), of the image encoder.
            states: of the targets.
            text: (targets, N), [0, 1], relevance; None: no text.
        """
        blank = torch.zeros(tokens.shape[1], device=tokens.device)
        prototypes = torch.stack([blank if each.prototype is None else each.prototype for each in states])
        return self.router.frame_cues(tokens, self._grid, prototypes, text)

    def query_maps(
        self,
        frame: FrameCues,
        states: Sequence[PruningState],
        camera: npt.NDArray[np.float64] = STILL,
        displacements: Sequence[float] = (),
    ) -> Tensor:
        """`Router.cue_maps` for this frame's queries, by the masks of the last one: (targets, len(CUES), N)."""
        masks = torch.stack([each.mask for each in states if each.mask is not None])
        trust = torch.tensor([each.score for each in states], device=masks.device)
        return self.router.cue_maps(frame, masks, trust, camera, displacements)

    def queries(self, maps: Tensor, states: Sequence[PruningState]) -> list[Tensor | None]:
        """The tokens of this frame that each target's memory attention conditions.

        Args:
            maps: `query_maps`.
            states: of the same targets, with this frame's keep ratio.

        Returns:
            per target int64 (count,), rising; None: all.
        """
        scores = self.router.scorer(maps)
        return [
            None if state.conditioned is None else best_tokens(row, self.shares(state.keep_ratio).queries)
            for row, state in zip(scores, states, strict=True)
        ]
