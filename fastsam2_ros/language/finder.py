"""What finds targets in a frame: the built-in CLIP (`search.TextSearch`), or whatever else knows where things are."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt
from torch import Tensor

from fastsam2_ros.config import LanguageConfig
from fastsam2_ros.language.grounding import Grounding
from fastsam2_ros.language.protocols import Features, Segmenter


@dataclass(frozen=True, eq=False)
class Wanted:
    """One target to find.

    Attributes:
        description: clean text (`descriptions.split`).
        example: (D,), unit norm, the embedding that stands in the text's place (`TextSearch.embed_example`); None: the text
            itself counts.
    """

    description: str
    example: Tensor | None = None


class Finder(Protocol):
    """Finds targets. `search.TextSearch` is one, and `detections.DetectionFinder`."""

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
        """Find each of the targets in a frame; an object goes to one of them at most.

        Args:
            frame: uint8 (H, W, 3), RGB.
            features: what SAM 2's image encoder made of it.
            wanted: what to find.
            segmenter: makes masks of points and boxes in that frame.
            config: margins and numbers of this search.
            dense: the frame's dense features (`TextSearch.dense`), where there are any.
            others: descriptions of targets that are tracked already: what these fit better is not what is wanted.

        Returns:
            one for each of `wanted`; None: not found.
        """
