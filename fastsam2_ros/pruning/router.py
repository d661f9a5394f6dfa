"""Which tokens a frame keeps, per target: maps of the cues, a scorer that makes one number of them, and the best of it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from fastsam2_ros.config import PruningConfig
from fastsam2_ros.pruning import cues
from fastsam2_ros.pruning.cues import CUES
from fastsam2_ros.streaming.shares import best_first, token_count
from fastsam2_ros.streaming.warp import STILL


class Scorer(Protocol):
    """Makes one score of a token's cues."""

    @property
    def cues(self) -> tuple[str, ...]:
        """Names of those that it looks at."""
        ...

    def __call__(self, maps: Tensor) -> Tensor:
        """From `Router.cue_maps` (targets, len(CUES), N) to scores, float32 (targets, N)."""
        ...


@dataclass(frozen=True)
class FrameCues:
    """The cues of a frame's tokens that do not depend on its masks; zero where a cue is off.

    Attributes:
        tokens: (N, C).
        grid: (rows, columns) of the tokens.
        context: (1, N), [0, 1]: local visual context.
        appearance: (targets, N), [0, 1]: likeness to the target.
        text: (targets, N), [0, 1]: relevance to the target's text.
    """

    tokens: Tensor
    grid: cues.Grid
    context: Tensor
    appearance: Tensor
    text: Tensor


class Router:
    """Scores tokens by the cues that its scorer looks at. Those are on; the maps of all others are zero, and not computed.

    Args:
        scorer: a `WeightedSum`, or another.

    Attributes:
        on: names of the cues that are on.
    """

    def __init__(self, scorer: Scorer) -> None:
        self.scorer = scorer
        self.on = scorer.cues

    def frame_cues(self, tokens: Tensor, grid: cues.Grid, prototypes: Tensor, text: Tensor | None) -> FrameCues:
        """Cues of one frame, to be used for its queries and for its memory.

        Args:
            tokens: (N, C).
            grid: (rows, columns) of the tokens.
            prototypes: (targets, C), `cues.prototype`; zeros where a target's looks are not known.
            text: (targets, N), [0, 1], or None.
        """
        off = _blank(len(prototypes), tokens)
        return FrameCues(
            tokens,
            grid,
            context=cues.local_context(tokens, grid) if "context" in self.on else _blank(1, tokens),
            appearance=cues.appearance(tokens, prototypes) if "appearance" in self.on else off,
            text=cues.text_relevance(text, len(prototypes), tokens),
        )

    def cue_maps(
        self,
        frame: FrameCues,
        masks: Tensor,
        trust: Tensor,
        camera: npt.NDArray[np.float64] = STILL,
        displacements: Sequence[float] = (),
    ) -> Tensor:
        """All cues; one that is off is zero.

        Args:
            frame: of the frame whose tokens are scored.
            masks: float, (targets, 1, h, w), logits: of the frame before, or of this one where it is known already.
            trust: (targets,), [0, 1], visibility times predicted IoU of those masks.
            camera, displacements: `Motion`'s, from the masks' frame to this one, a displacement for each target; none by
                default.

        Returns:
            float32, (targets, len(CUES), N), [0, 1], in the order of `CUES`.
        """
        made: dict[str, Callable[[], Tensor]] = {
            "mask": lambda: cues.mask_prior(masks, frame.grid, camera, displacements),
            "context": lambda: frame.context.expand(len(masks), -1),
            "appearance": lambda: frame.appearance,
            "text": lambda: frame.text,
            "uncertainty": lambda: cues.uncertainty(masks, trust, frame.tokens, frame.grid, camera),
        }
        off = _blank(len(masks), frame.tokens)
        return torch.stack([made[name]() if name in self.on else off for name in CUES], dim=1)

    def scores(self, frame: FrameCues, masks: Tensor, trust: Tensor) -> Tensor:
        """The scorer's scores of `cue_maps`, by masks of this very frame: float32, (targets, N), higher is better."""
        return self.scorer(self.cue_maps(frame, masks, trust))

    def contributions(self, maps: Tensor) -> Tensor:
        """What each cue adds to the scores: how much they sink without it.

        Args:
            maps: (targets, len(CUES), N), `cue_maps`.

        Returns:
            float32, (len(self.on), targets, N).
        """
        without = [maps.index_fill(1, torch.tensor(CUES.index(name), device=maps.device), 0.0) for name in self.on]
        if not without:
            return maps.new_zeros(0, len(maps), maps.shape[2])
        return self.scorer(maps) - torch.stack([self.scorer(each) for each in without])


class WeightedSum:
    """The sum of the cues by the weights of a configuration; a weight of 0 switches a cue off."""

    def __init__(self, config: PruningConfig) -> None:
        weights = {name: float(getattr(config, f"{name}_weight")) for name in CUES}
        self.cues = tuple(name for name, weight in weights.items() if weight != 0)
        self._weights = torch.tensor(list(weights.values()))

    def __call__(self, maps: Tensor) -> Tensor:
        """See `Scorer`."""
        return torch.einsum("k,tkn->tn", self._weights.to(maps.device), maps)


def best_tokens(scores: Tensor, share: float) -> Tensor | None:
    """The best tokens of one target.

    Args:
        scores: (N,).
        share: of the tokens, (0, 1].

    Returns:
        int64 (count,), rising, of those that are `best_first`; None where all are kept.
    """
    count = token_count(share, len(scores))
    return None if count == len(scores) else best_first(scores)[:count].sort().values


def _blank(targets: int, tokens: Tensor) -> Tensor:
    return torch.zeros(targets, len(tokens), device=tokens.device)
