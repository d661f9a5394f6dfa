"""An automatic description of what is in a box."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import torch

from fastsam2_ros.language.protocols import ImageTextEncoder
from fastsam2_ros.language.vocabulary import COLOURS, NOUNS, TEMPLATES
from fastsam2_ros.results import Box


@torch.inference_mode()
def describe(frame: npt.NDArray[np.uint8], box: Box, clip: ImageTextEncoder, nouns: Sequence[str] = NOUNS) -> str:
    """Colour and noun that fit the box's content best, such as 'red mug'.

    Args:
        frame: uint8 (H, W, 3), RGB.
        box: pixels of the frame.
        nouns: the vocabulary, not empty.

    Raises:
        InputError: the box is empty, not finite, or outside the frame.
    """
    crop = clip.embed_crops(frame, [box])[0]
    # One template: the vocabulary is long, and only the order of its words matters here.
    noun = nouns[int((clip.embed_texts(nouns, TEMPLATES[:1]) @ crop).argmax())]
    coloured = [f"{colour} {noun}" for colour in COLOURS]
    return coloured[int((clip.embed_texts(coloured) @ crop).argmax())]
