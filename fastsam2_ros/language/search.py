"""Everything the tracker asks of language: `TextSearch`, the model; `TextRelevance`, what is learned of one video."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from fastsam2_ros.config import MINI, LanguageConfig
from fastsam2_ros.errors import InputError
from fastsam2_ros.language.alternatives import Alternatives
from fastsam2_ros.language.clip import Clip
from fastsam2_ros.language.describe import describe
from fastsam2_ros.language.descriptions import key
from fastsam2_ros.language.example import WithExamples, embed, least_margin
from fastsam2_ros.language.finder import Wanted
from fastsam2_ros.language.grounding import Grounding, ground
from fastsam2_ros.language.protocols import Features, Segmenter
from fastsam2_ros.language.relations import decide, parse
from fastsam2_ros.language.relevance import RelevanceMap, to_grid
from fastsam2_ros.language.vocabulary import NEGATIVES, NOUNS, contrasts, negatives_for, read_nouns
from fastsam2_ros.results import Box

NONE = "none"
"""Value of `LanguageConfig.name` that does without a language model: boxes can be tracked, texts cannot."""


class TextSearch:
    """Finds descriptions in frames: the language model, and no state of any video.

    Raises:
        ModelError: model or weights cannot be had.
        InputError: the vocabulary cannot be read.
    """

    def __init__(self, config: LanguageConfig, device: torch.device) -> None:
        self.config = config = config.suited()
        self._clip = None if config.name == NONE else Clip.load(config, device)
        self._nouns = read_nouns(config.vocabulary) if config.vocabulary else NOUNS
        # How far apart texts of other meanings are is known of mini's alone.
        known = self._clip is not None and config.name == MINI
        self._alternatives = Alternatives(self._clip, self._nouns) if known and self._clip is not None else None
        if self._clip is not None:
            self._clip.embed_texts(NEGATIVES)  # while the models load anyway, and not with the first search

    @property
    def untrained(self) -> bool:
        """Whether the weights are random."""
        return self._clip is not None and self._clip.untrained

    def require(self) -> None:
        """Raise `InputError` where there is no language model."""
        if self._clip is None:
            raise InputError("Texts cannot be searched with language.name 'none'; set it to an open_clip model.")

    def new_relevance(self) -> TextRelevance:
        """Of a video that has not begun."""
        return TextRelevance(self._clip)

    def dense(self, frame: npt.NDArray[np.uint8]) -> Tensor | None:
        """A keyframe's dense features, (D, h, w); None without a language model."""
        return None if self._clip is None else self._clip.dense_features(frame)

    def search(
        self,
        frame: npt.NDArray[np.uint8],
        features: Features,
        wanted: Sequence[Wanted],
        segmenter: Segmenter,
        config: LanguageConfig,
        dense: Tensor | None = None,
        others: Sequence[str] = (),
    ) -> list[Grounding | None]:
        """Find each in a frame by its text or example (`grounding.ground`); see `Finder`.

        Args:
            config: margins and numbers of this search; its model and weights are not looked at.
        """
        if self._clip is None:
            return [None] * len(wanted)
        parsed = [parse(each.description) for each in wanted]
        # An example may be called what another target is described as; no description has a line break.
        names = [
            plain if each.example is None else f"{plain}\n{row}"
            for row, ((plain, _), each) in enumerate(zip(parsed, wanted, strict=True))
        ]
        examples = {name: each.example for name, each in zip(names, wanted, strict=True) if each.example is not None}
        least = [
            config.min_margin if each.example is None else least_margin(each.example, self._clip) for each in wanted
        ]
        relations = [relation for _, relation in parsed]
        mine = {key(name) for name in names}
        found = ground(
            frame,
            features,
            names,
            WithExamples(self._clip, examples) if examples else self._clip,
            segmenter,
            config=config,
            dense=dense,
            others=[other for other in (parse(each)[0] for each in others) if key(other) not in mine],
            # A picture is far nearer to pictures than to any text: the colours of what it is called say nothing of it.
            unlike=[contrasts(name) if each.example is None else () for name, each in zip(names, wanted, strict=True)],
            alternatives=[
                None if self._alternatives is None or each.example is not None else self._alternatives.of(name)
                for name, each in zip(names, wanted, strict=True)
            ],
            narrow=lambda judged: decide(judged, relations, least, (frame.shape[0], frame.shape[1])),
        )
        return [
            None if each is None else replace(each, description=asked.description)
            for each, asked in zip(found, wanted, strict=True)
        ]

    def embed_example(self, image: npt.NDArray[np.uint8]) -> Tensor:
        """The embedding of a picture of a thing, uint8 (H, W, 3), RGB: float32 (D,), unit norm.

        Raises:
            InputError: there is no language model.
        """
        if self._clip is None:
            raise InputError("Examples cannot be searched with language.name 'none'; set it to an open_clip model.")
        return embed(image, self._clip)

    def describe(self, frame: npt.NDArray[np.uint8], box: Box) -> str:
        """A short description of what is in a box; 'object' without a language model."""
        return "object" if self._clip is None else describe(frame, box, self._clip, self._nouns)


class TextRelevance:
    """Relevance of one video's tokens to what is looked for in it: learned on keyframes, one matrix product on other frames.

    Args:
        clip: the language model; None: there is none, and nothing is ever known.
    """

    def __init__(self, clip: Clip | None) -> None:
        self._clip = clip
        self._map = None if clip is None else RelevanceMap(clip.logit_scale)

    def copy(self) -> TextRelevance:
        """One that changes by itself. Tensors are shared: they never change."""
        other = copy.copy(self)
        other._map = copy.copy(self._map)
        return other

    @property
    def ready(self) -> bool:
        """There was a keyframe, and there is something to look for; always without a language model."""
        return self._map is None or self._map.ready

    def aim(self, wanted: Sequence[Wanted]) -> None:
        """Make it the relevance to these."""
        if self._clip is not None and self._map is not None and wanted:
            names = [parse(each.description)[0] for each in wanted]
            texts = self._clip.embed_texts(names)
            rows = [row if each.example is None else each.example for row, each in zip(texts, wanted, strict=True)]
            self._map.aim(torch.stack(rows), self._clip.embed_texts(negatives_for(names)))

    def learn(self, features: Features, dense: Tensor | None) -> None:
        """Learn from a keyframe, whose dense features are `TextSearch.dense`'s."""
        if self._map is not None and dense is not None:
            self._map.fit(features.tokens, to_grid(dense, features.grid))

    def of(self, tokens: Tensor) -> Tensor | None:
        """float32 (descriptions of `aim`, N), [0, 1]; None before the first keyframe."""
        return self._map.relevance(tokens) if self._map is not None and self._map.ready else None
