"""What teaches the mini CLIP: things and what is said of them nearer to one another than to anything else."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from fastsam2_ros.lab.synthetic.looks import PATTERNS, SHAPES
from fastsam2_ros.language.vocabulary import COLOURS

MARGIN = 0.04
"""Cosine by which the right answer must lead in training, so that some lead is left in use."""
NEAREST = 4
"""False texts that a thing is nearest to, which count as much as all of them together."""


def contrast(things: Tensor, truth: Tensor, texts: Tensor, negatives: Tensor, scale: Tensor) -> Tensor:
    """Contrastive loss with several true pairs, in both directions, with the search's negatives in between.

    A thing must be nearer to what is true of it than to what is not and to the negatives; nearer to the negatives than
    to what is not true of it (or else nothing would ever be "not found"); and a text nearer to what it is true of.

    Args:
        things: (n, D), unit norm: crops or cells.
        truth: int8 (n, m): 1 where a text is true of a thing, 0 where it is false, -1 where nobody knows.
        texts: (m, D), unit norm.
        negatives: (k, D), unit norm.
        scale: factor on cosine similarities.
    """
    true, wrong = truth == 1, truth == 0
    similarity = scale * (things @ texts.T)
    against = torch.logsumexp(scale * (things @ negatives.T), dim=1, keepdim=True)  # (n, 1)
    lowered = similarity - scale * MARGIN * true
    false = torch.where(wrong, similarity, -torch.inf)
    rivals = torch.cat((false, against), dim=1).logsumexp(1, keepdim=True)
    # Thing to text: each true text against all false ones and the negatives.
    up = _mean_of(F.softplus(rivals - lowered), true)
    # Thing to negatives: these against the false texts. In use there is one text at a time, so their number must not count:
    # or else the negatives would lead by its logarithm, and little would ever be found. Things of which all is false must
    # not drown the others.
    typical = false.logsumexp(1) - wrong.sum(1).clamp(min=1).log()
    down = F.softplus(typical - against[:, 0] + scale * MARGIN)
    # But the nearest false ones are what look-alikes are asked for by.
    nearest = false.topk(min(NEAREST, false.shape[1]), dim=1).values
    refused = _mean_of_each(F.softplus(nearest - against + scale * MARGIN), nearest > -torch.inf)
    down = (down + refused) / 2
    some, none = wrong.any(1) & true.any(1), wrong.any(1) & ~true.any(1)
    down = _mean_where(down, some) + _mean_where(down, none)
    # Text to thing: each thing it is true of against all that it is not true of.
    others = torch.where(wrong, similarity, -torch.inf).logsumexp(0, keepdim=True)
    across = _mean_of(F.softplus(others - lowered).T, true.T)
    return up + across + 0.5 * down


def classify(vectors: Tensor, of: Tensor, codes: Tensor, scale: Tensor) -> Tensor:
    """Cross-entropy of colour, pattern and shape, each told by the nearest of fixed vectors.

    Both towers learn at once where in the space every attribute is; by the contrast alone, each would have to wait for
    the other. What has all three attributes lies between their vectors.

    Args:
        vectors: (n, D), unit norm: things or texts.
        of: int64 (n, 3), attributes; negative where there is none.
        codes: (11 + 5 + 24, D), orthonormal.
        scale: factor on cosine similarities.
    """
    logits, start, losses = scale * (vectors @ codes.T), 0, []
    for column, words in zip(of.unbind(1), (COLOURS, PATTERNS, SHAPES), strict=True):
        known = column >= 0
        part = logits[known, start : start + len(words)]
        losses.append(F.cross_entropy(part, column[known], reduction="sum") / known.sum().clamp(min=1))
        start += len(words)
    return torch.stack(losses).sum()


def _mean_of(values: Tensor, where: Tensor) -> Tensor:
    """Mean over rows of each row's mean over the columns named by `where`; rows without any are left out."""
    return _mean_of_each(values, where).sum() / where.any(1).sum().clamp(min=1)


def _mean_of_each(values: Tensor, where: Tensor) -> Tensor:
    """(rows,), each row's mean over the columns named by `where`; 0 without any."""
    return torch.where(where, values, 0.0).sum(1) / where.sum(1).clamp(min=1)


def _mean_where(values: Tensor, where: Tensor) -> Tensor:
    return torch.where(where, values, 0.0).sum() / where.sum().clamp(min=1)
