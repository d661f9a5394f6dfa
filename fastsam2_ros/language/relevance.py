"""Where in a frame is what a text describes: from CLIP on keyframes, from SAM 2's tokens on every frame."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

RIDGE = 1e-3
"""Penalty on the map's weights, as a share of the tokens' mean square."""
DECAY = 0.8
"""What earlier keyframes weigh at each new one: the map follows the scene."""
SHARPEN_TEMPERATURE = 0.07
SHARPEN_STEPS = 2
ROWS_AT_ONCE = 1024
"""Rows of the affinity matrix in memory at a time; at 4096 tokens that is 16 MB."""


@torch.inference_mode()
def dense_relevance(features: Tensor, descriptions: Tensor, negatives: Tensor, logit_scale: float) -> Tensor:
    """Relevance of every patch to every description, against the negatives and the other descriptions.

    Args:
        features: (D, h, w), unit norm along D.
        descriptions: (n, D), unit norm.
        negatives: (m, D), unit norm.
        logit_scale: factor on cosine similarities before the softmax.

    Returns:
        float32 (n, h, w), [0, 1]; 0 where the features are not finite.
    """
    texts = torch.cat((descriptions, negatives)).float()
    similarity = torch.einsum("td,dhw->thw", texts, features.float())
    return _softmax(logit_scale * similarity)[: len(descriptions)]


@torch.inference_mode()
def to_grid(features: Tensor, grid: tuple[int, int]) -> Tensor:
    """Resample (D, h, w) over the whole frame to one vector per token: float32 (N, D), N = rows * columns."""
    return F.interpolate(features.float()[None], grid, mode="bilinear", align_corners=False)[0].flatten(1).T


@torch.inference_mode()
def sharpen(relevance: Tensor, tokens: Tensor) -> Tensor:
    """Average relevance over tokens that look alike: CLIP's patches are coarse, SAM 2's tokens know the outlines.

    Args:
        relevance: (n, N), [0, 1].
        tokens: (N, C).

    Returns:
        float32 (n, N), [0, 1].
    """
    tokens = torch.nan_to_num(tokens.float())
    tokens = F.normalize(tokens - tokens.mean(0), dim=-1)  # centred: all tokens share a large common part
    values = relevance.float().T  # (N, n)
    for _ in range(SHARPEN_STEPS):
        rows = tokens.split(ROWS_AT_ONCE)
        values = torch.cat([torch.softmax(row @ tokens.T / SHARPEN_TEMPERATURE, dim=-1) @ values for row in rows])
    return values.T


class RelevanceMap:
    """A ridge regression from SAM 2's tokens to CLIP's dense features: relevance for one matrix product per frame.

    On keyframes `fit` adds to the normal equations, which have a fixed size; `aim` says what to look for;
    `relevance` then needs only the tokens. The intercept is not penalised.
    """

    def __init__(self, logit_scale: float, ridge: float = RIDGE, decay: float = DECAY) -> None:
        self._logit_scale = logit_scale
        self._ridge = ridge
        self._decay = decay
        self._gram: Tensor | None = None  # (C + 1, C + 1)
        self._cross: Tensor | None = None  # (C + 1, D)
        self._weights: Tensor | None = None  # (C + 1, D)
        self._texts: Tensor | None = None  # (n + m, D)
        self._targets = 0
        self._projection: Tensor | None = None  # (C + 1, n + m)

    @property
    def ready(self) -> bool:
        """Whether `relevance` can be asked: there was a keyframe, and there is something to look for."""
        return self._projection is not None and self._targets > 0

    @torch.inference_mode()
    def fit(self, tokens: Tensor, features: Tensor) -> None:
        """Learn from one keyframe. Rows that are not finite are left out.

        Args:
            tokens: (N, C) of SAM 2.
            features: (N, D) of CLIP at the same places (`to_grid`).
        """
        # In double precision: normal equations square the condition number, and TF32 would ruin them.
        x = tokens.double()
        y = features.to(x.device).double()
        good = torch.isfinite(x).all(1) & torch.isfinite(y).all(1)
        x, y = F.pad(x[good], (0, 1), value=1.0), y[good]
        if not len(x):
            return
        gram, cross = x.T @ x, x.T @ y
        if self._gram is None or self._cross is None or self._gram.shape != gram.shape:
            self._gram, self._cross = gram, cross
        else:
            self._gram = self._decay * self._gram + gram
            self._cross = self._decay * self._cross + cross
        diagonal = self._gram.diagonal()[:-1]
        penalty = F.pad(torch.full_like(diagonal, self._ridge * float(diagonal.mean()) + 1e-12), (0, 1))
        solved, _ = torch.linalg.solve_ex(self._gram + torch.diag(penalty), self._cross)
        if torch.isfinite(solved).all():
            self._weights = solved.float()
        self._update()

    @torch.inference_mode()
    def aim(self, descriptions: Tensor, negatives: Tensor) -> None:
        """Look for these: (n, D), against (m, D) and one another; unit norm. Needs no new keyframe."""
        self._texts = torch.cat((descriptions, negatives)).float()
        self._targets = len(descriptions)
        self._update()

    @torch.inference_mode()
    def project(self, texts: Tensor) -> Tensor:
        """(C + 1, n): what a token, with a 1 behind it, is multiplied by to give its similarity to each of (n, D).

        Raises:
            RuntimeError: nothing has been fitted yet.
        """
        if self._weights is None:
            raise RuntimeError("RelevanceMap.project needs a keyframe first: call fit.")
        return self._weights @ texts.to(self._weights).T

    @torch.inference_mode()
    def relevance(self, tokens: Tensor) -> Tensor:
        """Relevance of each token to each description of `aim`.

        Args:
            tokens: (N, C).

        Returns:
            float32 (n, N), [0, 1]; 0 where a token is not finite.

        Raises:
            RuntimeError: not `ready`.
        """
        if self._projection is None:
            raise RuntimeError("RelevanceMap.relevance needs a keyframe and texts first: call fit and aim.")
        similarity = torch.addmm(self._projection[-1], tokens.float(), self._projection[:-1])
        return _softmax(self._logit_scale * similarity.T)[: self._targets]

    def _update(self) -> None:
        if self._weights is not None and self._texts is not None:
            self._projection = self.project(self._texts)


def _softmax(logits: Tensor) -> Tensor:
    """Over the first axis; NaN (not finite logits) becomes 0."""
    return torch.nan_to_num(torch.softmax(logits, dim=0), nan=0.0)
