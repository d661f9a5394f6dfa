"""What one target remembers: ring buffers of frames, with the tokens that were worth keeping."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from fastsam2_ros.streaming.pooling import merge, merged_rows


@dataclass(frozen=True)
class MemoryFrame:
    """One frame in a target's memory.

    Attributes:
        index: number of the processed frame.
        features: bf16, (kept, M), memory encoder's output; bf16 as upstream stores it.
        tokens: int64, (kept,), their places in the row-major token grid.
        ranking: int64, (kept,), rows of `features`, the most useful first; None where nothing is ever dropped.
        pool_grid: (height, width) of the token grid, where what is dropped is to be kept as means of neighbours
            (`pooling`); None: it is forgotten.
        counts: float32, (kept,), how many tokens each row stands for; None: each for itself. A mean lies at the token
            nearest to the mean of its tokens' places.
    """

    index: int
    features: Tensor
    tokens: Tensor
    ranking: Tensor | None = None
    pool_grid: tuple[int, int] | None = None
    counts: Tensor | None = None

    def keep(self, count: int) -> MemoryFrame:
        """The frame with `count` rows: its most useful tokens in the order of the grid, then means of others. The rest is
        freed.
        """
        if self.ranking is None or count >= len(self.tokens):
            return self
        if self.pool_grid is not None and count >= 2:
            return self._pooled(self.ranking, self.pool_grid, count)
        best = self.ranking[:count]
        rows = best.sort().values
        ranking = torch.searchsorted(rows, best)
        counts = None if self.counts is None else self.counts[rows]
        return replace(self, features=self.features[rows], tokens=self.tokens[rows], ranking=ranking, counts=counts)

    def _pooled(self, ranking: Tensor, grid: tuple[int, int], count: int) -> MemoryFrame:
        weights = self.row_counts()
        new_rows = merged_rows(self.tokens, ranking, grid, count)
        rank = torch.empty_like(ranking).scatter_(0, ranking, torch.arange(len(ranking), device=ranking.device))
        best = torch.full((count,), len(ranking), device=rank.device).scatter_reduce(0, new_rows, rank, "amin")
        places = torch.stack([self.tokens // grid[1], self.tokens % grid[1]], dim=1)
        places = merge(places, weights, new_rows, count).round().long()
        return replace(
            self,
            features=merge(self.features, weights, new_rows, count).to(self.features.dtype),
            tokens=places[:, 0] * grid[1] + places[:, 1],
            ranking=best.argsort(),
            counts=torch.zeros(count, device=weights.device).index_add_(0, new_rows, weights),
        )

    def row_counts(self) -> Tensor:
        """float32, (kept,): how many tokens each row stands for."""
        return torch.ones(len(self.tokens), device=self.tokens.device) if self.counts is None else self.counts

    def size_bytes(self) -> int:
        """Bytes that it takes, but for what all frames share."""
        held = (self.features, self.tokens, self.ranking, self.counts)
        return sum(tensor.element_size() * tensor.nelement() for tensor in held if tensor is not None)


class TargetMemory:
    """Memory of one target: prompt frames, recent frames, object pointers and the last conditioned feature.

    Bounded in every part, whatever the length of the video.
    """

    def __init__(self, recent_frames: int, prompt_frames: int, pointers: int) -> None:
        self.prompts: deque[MemoryFrame] = deque(maxlen=prompt_frames)
        self.recent: deque[MemoryFrame] = deque(maxlen=recent_frames)
        #: (index, float (C,)) of prompt frames, and of the other recent frames.
        self.prompt_pointers: deque[tuple[int, Tensor]] = deque(maxlen=prompt_frames)
        self.recent_pointers: deque[tuple[int, Tensor]] = deque(maxlen=pointers)
        #: (tokens of the grid, C): stands in for queries that are pruned; None before the first frame.
        self.conditioned: Tensor | None = None

    def add_prompt(self, frame: MemoryFrame, pointer: Tensor, middle_tokens: int) -> None:
        """Remember a frame with a prompt; older prompt frames shrink to `middle_tokens`."""
        if self.prompts:
            self.prompts[-1] = self.prompts[-1].keep(middle_tokens)
        self.prompts.append(frame)
        self.prompt_pointers.append((frame.index, pointer))

    def add(self, frame: MemoryFrame, pointer: Tensor, middle_tokens: int) -> None:
        """Remember a tracked frame; the one that was newest until now shrinks to `middle_tokens`."""
        if self.recent:
            self.recent[-1] = self.recent[-1].keep(middle_tokens)
        self.recent.append(frame)
        self.recent_pointers.append((frame.index, pointer))

    def layout(self, index: int) -> tuple[int, int]:
        """How many spatial tokens and how many pointers frame `index` will attend to."""
        return sum(len(frame.tokens) for frame, _ in self.frames(index)), len(self.pointers(index))

    def frames(self, index: int) -> list[tuple[MemoryFrame, int]]:
        """Frames for frame `index`, in upstream's order, each with its distance (0 for prompts)."""
        reach = self.recent.maxlen or 0
        recent = [(frame, index - frame.index) for frame in self.recent if index - frame.index <= reach]
        return [(frame, 0) for frame in self.prompts] + recent

    def pointers(self, index: int) -> list[tuple[int, Tensor]]:
        """Object pointers for frame `index`, in upstream's order, each with its distance in frames."""
        reach = self.recent_pointers.maxlen or 0
        near = [(index - at, pointer) for at, pointer in reversed(self.recent_pointers) if index - at <= reach]
        return [(index - at, pointer) for at, pointer in self.prompt_pointers] + near

    def size_bytes(self) -> int:
        """Bytes that the remembered frames, pointers and the conditioned feature take."""
        tensors = [pointer for _, pointer in (*self.prompt_pointers, *self.recent_pointers)]
        if self.conditioned is not None:
            tensors.append(self.conditioned)
        frames = sum(frame.size_bytes() for frame in (*self.prompts, *self.recent))
        return frames + sum(tensor.element_size() * tensor.nelement() for tensor in tensors)
