"""A SAM 2 of the same interface that takes no time: what it sees, and where, is drawn by chance."""

from __future__ import annotations

from types import SimpleNamespace

import cv2
import numpy as np
import torch

from fastsam2_ros.config import LanguageConfig
from fastsam2_ros.language.grounding import Grounding
from fastsam2_ros.language.search import NONE, TextSearch
from fastsam2_ros.results import AttentionCounts
from fastsam2_ros.streaming.memory import MemoryFrame, TargetMemory
from fastsam2_ros.streaming.shares import best_first, token_count
from fastsam2_ros.streaming.values import Decoded, FrameFeatures

SIDE, CHANNELS, LOW_RES = 4, 6, 16
TOKENS = SIDE * SIDE


class DrawnSam:
    """Masks are rectangles; a target may be unseen, or cover nothing; what is failing raises.

    Attributes:
        failing: name of the method that raises at its next call; None: none.
    """

    device = torch.device("cpu")
    grid = (SIDE, SIDE)
    token_count = TOKENS
    memory_frames = 3
    attention_size = SimpleNamespace(flops=lambda counts: 0.0)

    def __init__(self, seed: int) -> None:
        self._random = np.random.default_rng(seed)
        self.failing: str | None = None

    def new_memory(self) -> TargetMemory:
        return TargetMemory(self.memory_frames - 1, 2, 3)

    def encode(self, frame):
        self._fail_if_asked("encode")
        cells = cv2.resize(frame, self.grid, interpolation=cv2.INTER_AREA).reshape(TOKENS, 3)
        tokens = torch.from_numpy(np.concatenate([cells, 255 - cells], 1).astype(np.float32))
        grid_map = tokens.T.reshape(1, CHANNELS, SIDE, SIDE)
        return FrameFeatures((grid_map, grid_map, grid_map), tokens, self.grid, frame.shape[:2], frame)

    def condition(self, features, memories, index, tokens, before=(), camera=None):
        self._fail_if_asked("condition")
        for memory, kept, last in zip(memories, tokens, before, strict=True):
            assert memory.prompts
            assert kept is None or (len(kept.unique()) == len(kept) <= TOKENS and last is not None)
        return features.tokens[None].repeat(len(memories), 1, 1)

    def attention_counts(self, memories, index, tokens):
        counts = [TOKENS if kept is None else len(kept) for kept in tokens]
        return [AttentionCounts(count, *each.layout(index)) for count, each in zip(counts, memories, strict=True)]

    def decode(self, features, conditioned):
        self._fail_if_asked("decode")
        return self._decoded([self._rectangle() for _ in conditioned])

    def decode_prompt(self, features, prompt):
        self._fail_if_asked("decode_prompt")
        return self._decoded([self._rectangle()])

    def remember(self, features, decoded, memories, index, shares=None, scores=None):
        self._fail_if_asked("remember")
        for row, memory in enumerate(memories):
            memory.add(*self._memory(index, decoded, row, shares, scores))

    def remember_prompt(self, features, decoded, memory, index, shares=None, scores=None):
        self._fail_if_asked("remember_prompt")
        memory.add_prompt(*self._memory(index, decoded, 0, None if shares is None else [shares], scores))

    def rectangle(self):
        """float32 (16, 16), mask logits."""
        return self._rectangle()

    def _memory(self, index, decoded, row, shares, scores):
        frame = MemoryFrame(index, torch.zeros(TOKENS, 2), torch.arange(TOKENS))
        if shares is None or scores is None:
            return frame, decoded.pointer[row], TOKENS
        frame = MemoryFrame(index, frame.features, frame.tokens, best_first(scores)[row])
        share = shares[row]
        return (
            frame.keep(token_count(share.ends, TOKENS)),
            decoded.pointer[row],
            token_count(share.middle, TOKENS),
        )

    def _rectangle(self):
        top, left = self._random.integers(0, LOW_RES, 2)
        height, width = self._random.integers(0, LOW_RES, 2)
        logits = torch.full((LOW_RES, LOW_RES), -4.0)
        logits[top : top + height, left : left + width] = float(self._random.choice([0.5, 4.0]))
        return logits

    def _decoded(self, masks):
        low_res = torch.stack(masks)[:, None]
        scores = torch.tensor(self._random.choice([-9.0, -0.1, 0.1, 9.0], len(masks)), dtype=torch.float32)
        low_res = torch.where(scores[:, None, None, None] > 0, low_res, -1024.0)
        ious = torch.tensor(self._random.uniform(-0.1, 1.1, len(masks)), dtype=torch.float32)
        return Decoded(low_res, low_res, ious, scores, torch.zeros(len(masks), 2))

    def _fail_if_asked(self, name):
        if self.failing == name:
            self.failing = None
            raise RuntimeError(f"{name} was to fail")


class DrawnSearch(TextSearch):
    """Finds a text or not, anywhere; raises where it is told to."""

    def __init__(self, sam: DrawnSam, seed: int) -> None:
        super().__init__(LanguageConfig(name=NONE), torch.device("cpu"))
        self.config = LanguageConfig()
        self._sam = sam
        self._random = np.random.default_rng(seed)

    def require(self):
        pass

    def search(self, frame, features, wanted, segmenter, config, dense=None, others=()):
        self._sam._fail_if_asked("search")
        return [self._found(each.description) if self._random.random() < 0.6 else None for each in wanted]

    def _found(self, text):
        nothing, score = torch.zeros(0), float(self._random.random())
        return Grounding(text, self._sam.rectangle(), (0.0, 0.0, 1.0, 1.0), nothing, nothing, score, 0.1)
