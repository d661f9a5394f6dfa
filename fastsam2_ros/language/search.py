"""`TextSearch`: everything the tracker asks of language, with the model loaded once."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from fastsam2_ros.config import LanguageConfig
from fastsam2_ros.errors import InputError
from fastsam2_ros.language.clip import Clip
from fastsam2_ros.language.describe import describe
from fastsam2_ros.language.grounding import Grounding, ground
from fastsam2_ros.language.protocols import Features, Segmenter
from fastsam2_ros.language.relevance import RelevanceMap, to_grid
from fastsam2_ros.language.vocabulary import NEGATIVES, negatives_for
from fastsam2_ros.results import Box

NONE = "none"
"""Value of `LanguageConfig.name` that does without a language model: boxes can be tracked, texts cannot."""


class TextSearch:
    """Finds descriptions in frames, and keeps the relevance of SAM 2's tokens to them.

    Raises:
        ModelError: model or weights cannot be had.
    """

    def __init__(self, config: LanguageConfig, device: torch.device) -> None:
        self.config = config = config.suited()
        self._clip = None if config.name == NONE else Clip.load(config, device)
        self._map = None if self._clip is None else RelevanceMap(self._clip.logit_scale)
        self._shares = False
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

    def aim(self, descriptions: Sequence[str]) -> None:
        """Make `relevance` speak of these descriptions."""
        if self._clip is not None and self._map is not None and descriptions:
            self._map.aim(self._clip.embed_texts(descriptions), self._clip.embed_texts(negatives_for(descriptions)))

    def search(
        self, frame: npt.NDArray[np.uint8], features: Features, descriptions: Sequence[str], segmenter: Segmenter
    ) -> list[Grounding | None]:
        """Find each description in a frame (`grounding.ground`), and learn from it as a keyframe."""
        dense = self.learn(frame, features)
        if self._clip is None or dense is None:
            return [None] * len(descriptions)
        return ground(frame, features, descriptions, self._clip, segmenter, config=self.config, dense=dense)

    def learn(self, frame: npt.NDArray[np.uint8], features: Features) -> Tensor | None:
        """Learn what `relevance` needs from a frame as a keyframe.

        Returns:
            dense features, (D, h, w); None without a language model.
        """
        if self._clip is None or self._map is None:
            return None
        seen = features.trunk_map if self._shares else None
        dense = self._clip.dense_features(frame) if seen is None else self._clip.dense_of_map(seen)
        self._map.fit(features.tokens, to_grid(dense, features.grid))
        return dense

    def prepare(self, frame: npt.NDArray[np.uint8], features: Features) -> None:
        """Learn from the first keyframe, unless a search has done so: a target that a box started has not been searched."""
        if self._map is not None and not self._map.ready:
            self.learn(frame, features)

    def share_trunk(self, trunk_map: Callable[[Tensor], Tensor | None]) -> None:
        """Take dense features from SAM 2's trunk from now on, if CLIP's is the same one: it then runs once for a frame.

        Args:
            trunk_map: SAM 2's, see `Clip.has_trunk`.
        """
        self._shares = self._clip is not None and self._clip.has_trunk(trunk_map)

    def forget(self) -> None:
        """Forget all keyframes and descriptions."""
        self._map = None if self._clip is None else RelevanceMap(self._clip.logit_scale)

    def relevance(self, tokens: Tensor) -> Tensor | None:
        """float32 (descriptions of `aim`, N), [0, 1]; None before the first keyframe."""
        return self._map.relevance(tokens) if self._map is not None and self._map.ready else None

    def describe(self, frame: npt.NDArray[np.uint8], box: Box) -> str:
        """A short description of what is in a box; 'object' without a language model."""
        return "object" if self._clip is None else describe(frame, box, self._clip)
