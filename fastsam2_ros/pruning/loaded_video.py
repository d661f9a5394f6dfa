"""What the cues need of a video that upstream's `init_state` has loaded: its motion, and its relevance to a text."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F
from torch import Tensor

from fastsam2_ros.config import LanguageConfig, check
from fastsam2_ros.errors import InputError
from fastsam2_ros.language import descriptions
from fastsam2_ros.language.clip import Clip
from fastsam2_ros.language.relevance import RelevanceMap, to_grid
from fastsam2_ros.language.vocabulary import negatives_for
from fastsam2_ros.pruning.motion import NOMINAL_SECONDS, WIDTH, Motion, MotionEstimator, small_size
from fastsam2_ros.pruning.upstream_memory import State
from fastsam2_ros.streaming.picture import IMAGE_MEAN, IMAGE_STD
from fastsam2_ros.streaming.values import Grid

MAX_DESCRIPTIONS = 16

_LEARNT = "fastsam2_relevance"  # entry of a state's constants


def picture(state: State, index: int, size: tuple[int, int]) -> npt.NDArray[np.uint8]:
    """A loaded frame at another size (height, width): uint8 (height, width, 3), RGB."""
    image = state["images"][index][None].float()  # (1, 3, S, S), normalised, a square
    small = F.interpolate(image, size, mode="area")[0].permute(1, 2, 0)
    colours = small * small.new_tensor(IMAGE_STD) + small.new_tensor(IMAGE_MEAN)
    return (colours * 255).round().clamp(0, 255).byte().cpu().numpy()


def motion_between(state: State, before: int, now: int, masks: Tensor) -> Motion:
    """Motion from one loaded frame to its neighbour. Upstream knows no stamps: `NOMINAL_SECONDS` lie between them.

    Args:
        masks: float, (1, 1, h, w), mask logits of the target in the frame before.
    """
    estimator = MotionEstimator()
    size = _size(state, WIDTH)
    estimator.update(picture(state, before, size), 0)
    where = (masks[:, 0] > 0).cpu().numpy()
    return estimator.update(picture(state, now, size), round(NOMINAL_SECONDS * 1e9), where)


def _size(state: State, width: int) -> tuple[int, int]:
    return small_size(state["video_height"], state["video_width"], width)


class Relevance:
    """Relevance of tokens to a text; what is learnt of a video is kept in that video's state.

    Raises:
        InputError: the text is blank or too long, or a setting is out of its range.
        ModelError: the language model cannot be had.
    """

    def __init__(self, text: str, config: LanguageConfig, device: torch.device) -> None:
        check(config, "language.")
        config = config.suited()
        wanted = descriptions.split(text, MAX_DESCRIPTIONS)
        if not wanted:
            raise InputError("The text is blank; describe what is tracked, or give None to do without.")
        self._clip = Clip.load(config, device)
        self._texts = self._clip.embed_texts(wanted)
        self._negatives = self._clip.embed_texts(negatives_for(wanted))
        self._width = self._clip.image_size

    def learn(self, state: State, index: int, tokens: Tensor, grid: Grid) -> None:
        """Take a frame as a keyframe. tokens: (N, C), SAM 2's of this frame."""
        dense = self._clip.dense_features(picture(state, index, _size(state, self._width)))
        self._map(state).fit(tokens, to_grid(dense, grid))

    def __call__(self, state: State, index: int, tokens: Tensor, grid: Grid) -> Tensor:
        """float32 (1, N), [0, 1], of the description that fits best. The first frame asked for is a keyframe."""
        if not self._map(state).ready:
            self.learn(state, index, tokens, grid)
        return self._map(state).relevance(tokens).amax(0, keepdim=True)

    def _map(self, state: State) -> RelevanceMap:
        owner, learnt = state["constants"].get(_LEARNT, (None, None))
        if owner is not self:  # nothing yet, or for another text
            learnt = RelevanceMap(self._clip.logit_scale)
            learnt.aim(self._texts, self._negatives)
            state["constants"][_LEARNT] = (self, learnt)
        return learnt
