"""Everyday colours of real things."""

from __future__ import annotations

import numpy as np
import pytest

from fastsam2_ros.lab.training.colours import UNKNOWN, colour_of, recoloured
from fastsam2_ros.language.vocabulary import COLOURS


@pytest.fixture
def picture():
    return np.random.default_rng(0).integers(90, 160, (40, 60, 3), np.uint8)


@pytest.fixture
def mask():
    mask = np.zeros((40, 60), bool)
    mask[10:30, 20:50] = True
    return mask


@pytest.mark.parametrize("colour", [name for name in COLOURS if name != "brown"])
def test_a_thing_painted_in_a_colour_has_it(picture, mask, colour):
    painted = recoloured(np.random.default_rng(3), picture, mask, colour)
    assert colour_of(painted[mask]) == COLOURS.index(colour)


def test_what_is_around_stays(picture, mask):
    painted = recoloured(np.random.default_rng(3), picture, mask, "red")
    assert np.array_equal(painted[:, :14], picture[:, :14])


def test_light_and_shade_stay(picture, mask):
    picture[10:20] //= 3
    painted = recoloured(np.random.default_rng(3), picture, mask, "green").astype(float)
    assert painted[12:18, 24:46].mean() < 0.6 * painted[22:28, 24:46].mean()


def test_many_colours_are_none():
    halves = np.array([[220, 20, 20]] * 50 + [[20, 20, 220]] * 50, np.uint8)
    assert colour_of(halves) == UNKNOWN
