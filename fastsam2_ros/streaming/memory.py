"""What one target remembers: ring buffers of frames, with the tokens that were worth keeping."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, replace

import torch
from torch import Tensor

MIDDLE_FLOOR = 0.02
"""Least share of tokens kept of a frame that is neither a prompt nor the newest."""


@dataclass(frozen=True)
class KeyShares:
    """Share of tokens kept of each kind of memory frame, (0, 1]."""

    ends: float
    """Of the newest prompt frame and of the newest frame: they matter most."""
    middle: float
    """Of every other frame."""

    @classmethod
    def of(cls, keep_ratio: float, memory_frames: int) -> KeyShares:
        """Spread a share of *all* memory tokens over the frames.

        The two ends are kept whole as long as the frames between them keep `MIDDLE_FLOOR`: with seven frames, .3 keeps the
        ends dense and .02 of the five others, which costs as much as .3 of every frame and loses far less.
        """
        if memory_frames <= 2:
            return cls(keep_ratio, keep_ratio)
        total, between = keep_ratio * memory_frames, memory_frames - 2
        middle = min(1.0, max((total - 2) / between, min(MIDDLE_FLOOR, keep_ratio)))
        return cls(min(1.0, (total - between * middle) / 2), middle)


@dataclass(frozen=True)
class MemoryFrame:
    """One frame in a target's memory.

    Attributes:
        index: number of the processed frame.
        features: bf16, (kept, M), memory encoder's output; bf16 as upstream stores it.
        tokens: int64, (kept,), their places in the row-major token grid.
        ranking: int64, (kept,), rows of `features`, the most useful first; None where nothing is ever dropped.
    """

    index: int
    features: Tensor
    tokens: Tensor
    ranking: Tensor | None = None

    def keep(self, count: int) -> MemoryFrame:
        """The frame with its `count` most useful tokens, in the order of the grid. The rest is freed."""
        if self.ranking is None or count >= len(self.tokens):
            return self
        best = self.ranking[:count]
        rows = best.sort().values
        ranking = torch.searchsorted(rows, best)
        return replace(self, features=self.features[rows], tokens=self.tokens[rows], ranking=ranking)


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
        tensors = [frame.features for frame in (*self.prompts, *self.recent)]
        tensors += [frame.tokens for frame in (*self.prompts, *self.recent)]
        tensors += [pointer for _, pointer in (*self.prompt_pointers, *self.recent_pointers)]
        if self.conditioned is not None:
            tensors.append(self.conditioned)
        return sum(tensor.element_size() * tensor.nelement() for tensor in tensors)
