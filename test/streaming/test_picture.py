"""A frame becomes the encoder's input."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from PIL import Image

from fastsam2_ros.streaming.picture import IMAGE_MEAN, IMAGE_STD, Preparation

CPU = torch.device("cpu")
SIDE = 64


def frame(height: int, width: int) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (height, width, 3), np.uint8)


def pillow(pixels: np.ndarray) -> np.ndarray:
    return np.array(Image.fromarray(pixels).resize((SIDE, SIDE)))


@pytest.mark.parametrize("size", [(720, 1280), (40, 30), (1, 300), (64, 64)])
def test_pixels_are_pillows_but_for_two_grey_levels(size):
    picture, _ = Preparation(SIDE, CPU)(frame(*size))
    assert np.abs(picture.astype(int) - pillow(frame(*size))).max() <= 2


def test_as_upstream_does_it_they_are_pillows():
    picture, _ = Preparation(SIDE, CPU, upstream=True)(frame(90, 160))
    assert np.array_equal(picture, pillow(frame(90, 160)))


def test_the_input_is_the_picture_normalised():
    picture, image = Preparation(SIDE, CPU)(frame(90, 160))
    planes = torch.from_numpy(picture).permute(2, 0, 1).float() / 255.0
    mean, std = (torch.tensor(each)[:, None, None] for each in (IMAGE_MEAN, IMAGE_STD))
    assert torch.equal(image[0], (planes - mean) / std)


@pytest.mark.parametrize("view", [lambda f: f[::-1], lambda f: f[:, 3:40], lambda f: f[..., ::-1]])
def test_a_view_of_an_array_is_as_good_as_a_copy(view):
    pixels = frame(90, 160)
    pixels.flags.writeable = False
    assert np.array_equal(Preparation(SIDE, CPU)(view(pixels))[0], Preparation(SIDE, CPU)(view(pixels).copy())[0])
