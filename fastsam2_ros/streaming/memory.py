"""What one target remembers: ring buffers of frames, with the tokens that were worth keeping."""

from __future__ import annotations

import copy
from collections import deque
from dataclasses import dataclass, replace

import torch
import torch.nn.functional as F
from torch import Tensor

from fastsam2_ros.streaming.values import Grid


@dataclass(frozen=True)
class MemoryFrame:
    """One frame in a target's memory.

    Attributes:
        index: number of the processed frame; in a target's memory, less the frames that were left out before it.
        features: bf16, (kept, M), memory encoder's output; bf16 as upstream stores it.
        tokens: int64, (kept,), their places in the row-major token grid.
        ranking: int64, (kept,), rows of `features`, the most useful first; None where nothing is ever dropped.
        made: the grid that it was made on and how it was there, if that is another one than now.
    """

    index: int
    features: Tensor
    tokens: Tensor
    ranking: Tensor | None = None
    made: tuple[Grid, MemoryFrame] | None = None

    def keep(self, count: int) -> MemoryFrame:
        """The frame with its `count` most useful tokens, in the order of the grid. The rest is freed."""
        if self.ranking is None or count >= len(self.tokens):
            return self
        best = self.ranking[:count]
        rows = best.sort().values
        made = self.made
        if made is not None:
            made = made[0], made[1].keep(max(1, round(len(made[1].tokens) * count / len(self.tokens))))
        return replace(
            self,
            features=self.features[rows],
            tokens=self.tokens[rows],
            ranking=torch.searchsorted(rows, best),
            made=made,
        )

    def at_grid(self, old: Grid, new: Grid) -> MemoryFrame:
        """The frame on another grid, with the same share of its tokens: those that most was kept of, each the mean of that.

        Back on the grid that it was made on it is what it was there, less what was dropped since.

        Args:
            old: (rows, columns) of its tokens' grid.
            new: of the grid that it gets.
        """
        made = self.made or (old, self)
        if made[0] == new:
            return made[1]
        grid, source = made
        count = max(1, round(len(self.tokens) * (new[0] * new[1]) / (old[0] * old[1])))
        ranked = source.tokens if source.ranking is None else source.tokens[source.ranking]
        maps = torch.zeros(2 + source.features.shape[1], grid[0] * grid[1], device=source.tokens.device)
        maps[0, source.tokens] = 1.0
        maps[1, ranked] = torch.arange(len(ranked), 0, -1, device=maps.device) / len(ranked)
        maps[2:, source.tokens] = source.features.float().T
        whole = maps.unflatten(1, grid)
        pooled = F.adaptive_avg_pool2d(whole, new).flatten(1)
        held, sums = pooled[0], pooled[2:]
        use = F.adaptive_max_pool2d(whole[1:2], new).flatten()
        order = use.argsort(descending=True, stable=True)
        order = order[held[order].argsort(descending=True, stable=True)][:count]
        tokens = order[held[order] > 0].sort().values
        features = (sums[:, tokens] / held[tokens]).T.to(source.features.dtype)
        ranking = None if source.ranking is None else use[tokens].argsort(descending=True, stable=True)
        return replace(self, features=features, tokens=tokens, ranking=ranking, made=made)

    def size_bytes(self) -> int:
        """Bytes that it takes, but for what all frames share."""
        held = (self.features, self.tokens, self.ranking)
        made = 0 if self.made is None else self.made[1].size_bytes()
        return made + sum(tensor.element_size() * tensor.nelement() for tensor in held if tensor is not None)


class TargetMemory:
    """Memory of one target: prompt frames, recent frames, and object pointers. Bounded, whatever the length of the video.

    The first prompt is what the user gave, or the first find: it stays for good. Of later prompts, finds of a lost target,
    the newest stay.

    Args:
        recent_frames: most that are kept of frames without a prompt.
        prompt_frames: most that are kept of frames with one, 2 or more.
        pointers: most object pointers of frames without a prompt.
    """

    def __init__(self, recent_frames: int, prompt_frames: int, pointers: int) -> None:
        self.prompt_frames = prompt_frames
        self.prompts: list[MemoryFrame] = []
        #: How many frames were left out, and the last of them.
        self._skipped, self._last_skipped = 0, -1
        #: How many of them came after the last frame that was remembered.
        self.left_out = 0
        self.recent: deque[MemoryFrame] = deque(maxlen=recent_frames)
        #: (index, float (C,)) of prompt frames, and of the other recent frames.
        self.prompt_pointers: list[tuple[int, Tensor]] = []
        self.recent_pointers: deque[tuple[int, Tensor]] = deque(maxlen=pointers)

    def copy(self) -> TargetMemory:
        """One that changes by itself. Frames and tensors are shared: they never change."""
        other = copy.copy(self)
        other.prompts, other.prompt_pointers = self.prompts.copy(), self.prompt_pointers.copy()
        other.recent, other.recent_pointers = self.recent.copy(), self.recent_pointers.copy()
        return other

    def add_prompt(self, frame: MemoryFrame, pointer: Tensor, middle_tokens: int) -> None:
        """Remember a frame with a prompt; older prompt frames shrink to `middle_tokens`.

        What was remembered of the same frame without the prompt is forgotten, as upstream does it.
        """
        if frame.index == self._last_skipped:
            self._skipped, self._last_skipped = self._skipped - 1, -1
        frame = replace(frame, index=frame.index - self._skipped)
        self.recent = deque((each for each in self.recent if each.index != frame.index), self.recent.maxlen)
        others = (each for each in self.recent_pointers if each[0] != frame.index)
        self.recent_pointers = deque(others, self.recent_pointers.maxlen)
        self.prompts = [each for each in self.prompts if each.index != frame.index]
        self.prompt_pointers = [each for each in self.prompt_pointers if each[0] != frame.index]
        if len(self.prompts) == self.prompt_frames:
            del self.prompts[1], self.prompt_pointers[1]
        if self.prompts:
            self.prompts[-1] = self.prompts[-1].keep(middle_tokens)
        self.prompts.append(frame)
        self.left_out = 0
        self.prompt_pointers.append((frame.index, pointer))

    def add(self, frame: MemoryFrame, pointer: Tensor, middle_tokens: int) -> None:
        """Remember a tracked frame; the one that was newest until now shrinks to `middle_tokens`."""
        frame = replace(frame, index=frame.index - self._skipped)
        if self.recent:
            self.recent[-1] = self.recent[-1].keep(middle_tokens)
        self.recent.append(frame)
        self.left_out = 0
        self.recent_pointers.append((frame.index, pointer))

    def to_grid(self, old: Grid, new: Grid) -> None:
        """Bring all frames to another grid (`MemoryFrame.at_grid`)."""
        self.prompts = [frame.at_grid(old, new) for frame in self.prompts]
        self.recent = deque((frame.at_grid(old, new) for frame in self.recent), self.recent.maxlen)

    def layout(self, index: int) -> tuple[int, int]:
        """How many spatial tokens and how many pointers frame `index` will attend to."""
        return sum(len(frame.tokens) for frame, _ in self.frames(index)), len(self.pointers(index))

    def frames(self, index: int) -> list[tuple[MemoryFrame, int]]:
        """Frames for frame `index`, in upstream's order, each with its distance (0 for prompts)."""
        reach, index = self.recent.maxlen or 0, index - self._skipped
        recent = [(frame, index - frame.index) for frame in self.recent if index - frame.index <= reach]
        return [(frame, 0) for frame in self.prompts] + recent

    def pointers(self, index: int) -> list[tuple[int, Tensor]]:
        """Object pointers for frame `index`, in upstream's order, each with its distance in frames."""
        reach, index = self.recent_pointers.maxlen or 0, index - self._skipped
        near = [(index - at, pointer) for at, pointer in reversed(self.recent_pointers) if index - at <= reach]
        return [(index - at, pointer) for at, pointer in self.prompt_pointers] + near

    def skip(self, index: int) -> None:
        """Leave frame `index` out. That does not age what is remembered: to memory attention it never was."""
        self._skipped, self._last_skipped, self.left_out = self._skipped + 1, index, self.left_out + 1

    def size_bytes(self) -> int:
        """Bytes that the remembered frames and pointers take."""
        pointers = [pointer for _, pointer in (*self.prompt_pointers, *self.recent_pointers)]
        frames = sum(frame.size_bytes() for frame in (*self.prompts, *self.recent))
        return frames + sum(tensor.element_size() * tensor.nelement() for tensor in pointers)
