"""Training of the learned router, on what an unpruned tracker sees."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from itertools import count, islice

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from fastsam2_ros.config import TrackerConfig
from fastsam2_ros.errors import InputError
from fastsam2_ros.lab.random_scores import RandomScores
from fastsam2_ros.lab.training.loop import Phase
from fastsam2_ros.lab.training.recordings import Source
from fastsam2_ros.lab.training.teacher import USES, Sample, samples
from fastsam2_ros.language.search import TextSearch
from fastsam2_ros.pruning.cues import CUES
from fastsam2_ros.pruning.learned import LearnedRouter, metadata
from fastsam2_ros.pruning.router import WeightedSum
from fastsam2_ros.streaming.loading import LoadedSam2
from fastsam2_ros.streaming.shares import token_count

BATCH = 8
"""Samples of a batch."""
STEPS_PER_SAMPLE = 2
"""Batches for each new sample: a step of the tracker takes far longer than one of the router."""
POOL_BYTES = 1 << 28
"""Of samples that batches are drawn from; the older ones give way at random."""
FIRST_SAMPLES = 16
"""In the pool before the first batch."""
CUE_DROPOUT = 0.1
"""Share of cues that are hidden in training: the router must do without one that is switched off or not known."""
KEEP_RATIOS = (0.3, 0.1)
"""Shares of tokens at which routers are compared."""
HELD_OUT_RECORDINGS, HELD_OUT_SAMPLES, HELD_OUT_STRIDE = 24, 96, 3
"""At most so many are held out, and of a recording's samples one in so many: neighbours are alike."""

_NOTHING = "The tracker saw no target that it trusts in"
_ADVICE = "Check the description or box, and the weights: 'fastsam2 track' shows what it sees."


class RouterTask:
    """See `loop.Task`.

    Args:
        sam: the teacher's model, for which the router will be.
        config: of the teacher.
        source: what to learn from.
        seed: of weights and batches.

    Raises:
        ModelError: the language model cannot be had.
    """

    name = "router"

    def __init__(self, sam: LoadedSam2, config: TrackerConfig, source: Source, seed: int = 0) -> None:
        self.sam, self.config, self.source, self.seed = sam, config, source, seed
        self.device = sam.streaming.device
        width = sam.streaming.model.hidden_dim
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            self.model: nn.Module = LearnedRouter(width)
        self.metadata = metadata(sam.name, width)
        self.phases: tuple[Phase, ...] = (Phase(1.0, "samples of the unpruned tracker", self._batches),)
        self._search = TextSearch(config.language.suited(config.model.name), self.device)
        self._held_out: list[Sample] = []

    def loss(self, batch: Sample, number: int, progress: float) -> tuple[Tensor, dict[str, float]]:
        """Cross-entropy, where the tokens to keep and those to drop have the same weight; see `loop.Task`."""
        tokens, maps, labels = (each.to(self.device) for each in (batch.tokens, batch.maps, batch.labels.float()))
        generator = torch.Generator().manual_seed((self.seed << 32) + number)
        shown = torch.rand(len(maps), 1, len(CUES), 1, generator=generator) >= CUE_DROPOUT
        logits = self.model(tokens[:, None], maps * shown.to(self.device))  # (B, uses, N)
        positive = labels.sum(1, keepdim=True)
        balance = labels / (2 * positive) + (1 - labels) / (2 * (labels.shape[1] - positive))  # (B, N), sums to 1
        each = F.binary_cross_entropy_with_logits(logits, labels[:, None].expand_as(logits), reduction="none")
        by_use = (each * balance[:, None]).sum(2).mean(0)
        return by_use.mean(), {f"loss {use}": value for use, value in zip(USES, by_use.tolist(), strict=True)}

    @torch.no_grad()
    def validate(self, model: nn.Module) -> dict[str, float]:
        """`hit_rate` of the router, the weighted sum and random tokens, on held-out samples, for either use."""
        scorers: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
            self.name: model,
            "sum": WeightedSum(self.config.pruning),
            "random": RandomScores(self.seed),
        }
        rates: dict[str, list[float]] = {}
        for sample in self._held_out:
            tokens, maps, labels = (each.to(self.device) for each in (sample.tokens, sample.maps, sample.labels))
            for name, scorer in scorers.items():
                scores = scorer(tokens.float(), maps.float())  # (uses, N)
                for use, row in zip(USES, scores, strict=True):
                    for keep_ratio in KEEP_RATIOS:
                        rates.setdefault(f"{name} {use} {keep_ratio}", []).append(hit_rate(row, labels, keep_ratio))
        return {name: float(np.mean(values)) for name, values in rates.items()}

    # ---- pieces ----

    def _batches(self, first: int, workers: int) -> Iterator[Sample]:
        """Batches from a pool of samples. A training that is taken up fills it anew, from recordings not seen yet."""
        rng = np.random.default_rng((self.seed, first))
        pool: list[Sample] = []
        if not self._held_out:  # first of all: what nothing can be seen in is to be told at once
            self._hold_out()
        collected = self._collected(first)
        for number in count():
            if number % STEPS_PER_SAMPLE == 0:
                fresh = list(islice(collected, FIRST_SAMPLES if not pool else 1))
                for sample in fresh:
                    put(pool, sample, rng)
            chosen = [pool[index] for index in rng.integers(len(pool), size=BATCH)]
            yield Sample(
                torch.stack([sample.tokens for sample in chosen]),
                torch.stack([sample.maps for sample in chosen]),
                torch.stack([sample.labels for sample in chosen]),
            )

    def _collected(self, first: int) -> Iterator[Sample]:
        """Samples of one recording after the other, without end."""
        barren: list[str] = []
        for number in count(first):
            recording = self.source.recording(number)
            barren.append(recording.name)
            for sample in samples(self.sam, self._search, self.config, recording):
                barren.clear()
                yield sample
            if len(barren) >= self.source.round:
                raise InputError(f"{_NOTHING} {', '.join(barren)}. {_ADVICE}")

    def _hold_out(self) -> None:
        recordings = self.source.held_out
        recordings = recordings[:: math.ceil(len(recordings) / HELD_OUT_RECORDINGS)]
        limit = math.ceil(HELD_OUT_SAMPLES / len(recordings))
        for recording in recordings:
            found = samples(self.sam, self._search, self.config, recording)
            self._held_out += islice(found, 0, limit * HELD_OUT_STRIDE, HELD_OUT_STRIDE)
        if not self._held_out:
            raise InputError(f"{_NOTHING} {recordings[0].name}, which is held out. {_ADVICE}")


def hit_rate(scores: Tensor, labels: Tensor, keep_ratio: float) -> float:
    """Share of the tokens to keep that are kept, of as many as can be.

    Args:
        scores: (N,).
        labels: bool (N,), some of them True.
        keep_ratio: (0, 1].

    Returns:
        [0, 1]; 1 where all that is kept is to be kept, or all that is to be kept is.
    """
    kept = token_count(keep_ratio, len(scores))
    hits = int(labels[scores.argsort(descending=True, stable=True)[:kept]].sum())
    return hits / min(kept, int(labels.sum()))


def put(pool: list[Sample], sample: Sample, rng: np.random.Generator) -> None:
    """Add a sample; in a pool that has `POOL_BYTES` already, in the place of any other."""
    tensors = (sample.tokens, sample.maps, sample.labels)
    capacity = max(BATCH, POOL_BYTES // sum(each.element_size() * each.nelement() for each in tensors))
    if len(pool) < capacity:
        pool.append(sample)
    else:
        pool[rng.integers(len(pool))] = sample
