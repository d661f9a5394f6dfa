"""Which tokens a frame keeps, per target: maps of the cues, a scorer that makes one number of them, and the best of it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from fastsam2_ros.config import PruningConfig
from fastsam2_ros.pruning import cues, learned
from fastsam2_ros.pruning.cues import CUES, STILL
from fastsam2_ros.shipped import MINI_ROUTER
from fastsam2_ros.streaming.shares import token_count

SUM, RANDOM, MINI = "sum", "random", "mini"
"""Values of `PruningConfig.router` that are no paths."""

Scorer = Callable[[Tensor, Tensor], Tensor]
"""From tokens (N, C) and `Router.cue_maps` (targets, len(CUES), N) to scores, float32 (targets, N)."""


@dataclass(frozen=True)
class FrameCues:
    """What speaks for a frame's tokens whatever the masks are.

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
    """Scores tokens by the cues. A weight of 0 switches a cue off: its map is zero, whatever the scorer is.

    Args:
        config: with the weights of the cues.
        scorer: makes scores of the maps, see `find_scorer`; None: their weighted sum.
    """

    def __init__(self, config: PruningConfig, scorer: Scorer | None = None) -> None:
        self.config = config
        self.scorer = WeightedSum(config) if scorer is None else scorer
        self._off = torch.tensor([weight == 0 for weight in _weights(config)])

    def frame_cues(self, tokens: Tensor, grid: cues.Grid, prototypes: Tensor, text: Tensor | None) -> FrameCues:
        """Cues of one frame, to be used for its queries and for its memory.

        Args:
            tokens: (N, C).
            grid: (rows, columns) of the tokens.
            prototypes: (targets, C), `cues.prototype`; zeros where a target's looks are not known.
            text: (targets, N), [0, 1], or None.
        """
        return FrameCues(
            tokens,
            grid,
            context=cues.local_context(tokens, grid),
            appearance=cues.appearance(tokens, prototypes),
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
        """All cues; one that is switched off is zero.

        Args:
            frame: of the frame whose tokens are scored.
            masks: float, (targets, 1, h, w), logits: of the frame before, or of this one where it is known already.
            trust: (targets,), [0, 1], visibility times predicted IoU of those masks.
            camera, displacements: `Motion`'s, from the masks' frame to this one, a displacement for each target; none by
                default.

        Returns:
            float32, (targets, len(CUES), N), [0, 1], in the order of `CUES`.
        """
        maps = {
            "mask": cues.mask_prior(masks, frame.grid, camera, displacements),
            "context": frame.context.expand(len(masks), -1),
            "appearance": frame.appearance,
            "text": frame.text,
            "uncertainty": cues.uncertainty(masks, trust, frame.tokens, frame.grid, camera),
        }
        stacked = torch.stack([maps[name] for name in CUES], dim=1)
        return stacked.masked_fill(self._off.to(stacked.device)[:, None], 0.0)

    def scores(
        self,
        frame: FrameCues,
        masks: Tensor,
        trust: Tensor,
        camera: npt.NDArray[np.float64] = STILL,
        displacements: Sequence[float] = (),
    ) -> Tensor:
        """The scorer's opinion of `cue_maps`, which has the same arguments: float32, (targets, N), higher is better."""
        return self.scorer(frame.tokens, self.cue_maps(frame, masks, trust, camera, displacements))

    def contributions(self, maps: Tensor) -> Tensor:
        """What each cue adds to the weighted sum, whatever the scorer is.

        Args:
            maps: (targets, len(CUES), N), `cue_maps`.

        Returns:
            float32, (len(CUES), targets, N).
        """
        weights = torch.tensor(_weights(self.config), device=maps.device)
        return (maps * weights[:, None]).transpose(0, 1)


class WeightedSum:
    """The sum of the cues by the weights of a configuration."""

    def __init__(self, config: PruningConfig) -> None:
        self._weights = torch.tensor(_weights(config))

    def __call__(self, tokens: Tensor, maps: Tensor) -> Tensor:
        """See `Scorer`."""
        return torch.einsum("k,tkn->tn", self._weights.to(maps.device), maps)


class RandomScores:
    """Scores that know nothing, new ones each time; the same from the same seed, on every device."""

    def __init__(self, seed: int = 0) -> None:
        self._generator = torch.Generator().manual_seed(seed)

    def __call__(self, tokens: Tensor, maps: Tensor) -> Tensor:
        """See `Scorer`."""
        return torch.rand(len(maps), maps.shape[2], generator=self._generator).to(maps.device)


def find_scorer(config: PruningConfig, model: str, width: int, device: torch.device) -> Scorer:
    """What `config.router` names.

    Args:
        config: settings.
        model: `ModelConfig.name`, for which a learned router must have been trained.
        width: C of its tokens.
        device: where a learned router will run.

    Raises:
        ModelError: no such router, or one for another model.
    """
    if config.router == SUM:
        return WeightedSum(config)
    if config.router == RANDOM:
        return RandomScores()
    path = MINI_ROUTER if config.router == MINI else Path(config.router).expanduser()
    return learned.load(path, model, width).to(device)


def best_tokens(scores: Tensor, keep_ratio: float) -> list[Tensor | None]:
    """The tokens that each target keeps.

    Args:
        scores: (targets, N).
        keep_ratio: (0, 1].

    Returns:
        per target int64 (count,), rising; None where all are kept. Ties go to the lower index, so that equal inputs
        always give equal results.
    """
    targets, total = scores.shape
    count = token_count(keep_ratio, total)
    if count == total:
        return [None] * targets
    ranking = scores.argsort(dim=1, descending=True, stable=True)
    return list(torch.sort(ranking[:, :count], dim=1).values)


def _weights(config: PruningConfig) -> list[float]:
    return [float(getattr(config, f"{name}_weight")) for name in CUES]
