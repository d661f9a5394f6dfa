"""Masks carried on by nearest neighbours."""

from __future__ import annotations

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from fastsam2_ros.config import ModelConfig
from fastsam2_ros.lab.evaluation.datasets import open_dataset
from fastsam2_ros.lab.evaluation.metrics import region_similarity
from fastsam2_ros.lab.evaluation.neighbours import NearestNeighbours
from fastsam2_ros.lab.evaluation.sequences import Truth, VideoSequence

from .footage import ids, names, square, write_davis

METHOD = NearestNeighbours(ModelConfig(name="mini", checkpoint="untrained", device="cpu"))


class PassingPatch:
    """A patch of one texture that moves by 16 pixels a frame over another."""

    def __init__(self) -> None:
        generator = torch.Generator().manual_seed(0)
        coarse = torch.rand(2, 3, 64, 64, generator=generator)
        self._textures = (255 * F.interpolate(coarse, (512, 512), mode="nearest")).byte().permute(0, 2, 3, 1).numpy()

    def _mask(self, index: int) -> np.ndarray:
        mask = np.zeros((512, 512), bool)
        mask[160:320, 64 + 16 * index : 224 + 16 * index] = True
        return mask

    def frame(self, index: int) -> np.ndarray:
        frame, mask = self._textures[0].copy(), self._mask(index)
        frame[mask] = self._textures[1][self._mask(0)]
        return frame

    def truth(self, index: int) -> Truth:
        return Truth({5: self._mask(index)})


@pytest.fixture(scope="module")
def labels():
    return list(METHOD.predict(VideoSequence("m", PassingPatch(), names(6), range(6), range(6), {5: 0})))


def test_what_moves_is_followed(labels):
    truth = PassingPatch().truth(5).masks[5]
    first = PassingPatch().truth(0).masks[5]
    assert region_similarity(truth, labels[5] == 5) > region_similarity(truth, first) + 0.15


def test_the_first_frame_is_the_given_mask_on_the_grid(labels):
    assert region_similarity(PassingPatch().truth(0).masks[5], labels[0] == 5) > 0.9


def test_an_object_that_comes_later_is_carried_too(tmp_path):
    write_davis(tmp_path / "data", {"a": [ids(o1=0), ids(o1=2), ids(o1=4, o2=20), ids(o1=6, o2=22)]})
    result = list(METHOD.predict(open_dataset(tmp_path / "data").open("a")))
    assert not (result[1] == 2).any()
    assert region_similarity(square(20), result[2] == 2) > 0.5
