"""What looks like a lost target is found by that alone."""

import numpy as np
import pytest
import torch

from fastsam2_ros.look import looks_of
from fastsam2_ros.refinding import find_by_look
from fastsam2_ros.streaming.values import Decoded, FrameFeatures

GRID = (8, 8)
SIZE = (64, 64)
THING, GROUND, OTHER = torch.eye(3)
COLOURS = {"thing": (220, 30, 30), "ground": (60, 60, 60), "other": (30, 30, 220)}


def scene(**places):
    """A frame with square things of two tokens a side at (row, column), and its features."""
    tokens, picture = GROUND.expand(*GRID, 3).clone(), np.full((*SIZE, 3), COLOURS["ground"], np.uint8)
    for name, (row, column) in places.items():
        tokens[row : row + 2, column : column + 2] = {"thing": THING, "other": OTHER}[name]
        picture[8 * row : 8 * row + 16, 8 * column : 8 * column + 16] = COLOURS[name]
    empty = torch.zeros(1, 1, 1, 1)
    return FrameFeatures((empty, empty, empty), tokens.flatten(0, 1), GRID, SIZE, picture)


def square(row, column):
    """Logits of the mask of a thing there."""
    logits = torch.full((32, 32), -5.0)
    logits[4 * row : 4 * row + 8, 4 * column : 4 * column + 8] = 5.0
    return logits


class Segmenter:
    """Has the mask of a square around each point."""

    def segment(self, features, points, labels, size):
        masks = [square(*(int(each) // 8 // 2 * 2 for each in (y, x))) for x, y in points[:, 0].tolist()]
        return torch.stack(masks)[:, None].expand(-1, 3, -1, -1), torch.full((len(points), 3), 0.9)

    def decode_prompt(self, features, prompt):
        logits = torch.where(torch.from_numpy(prompt.mask)[::2, ::2], 5.0, -5.0)[None, None]
        one = torch.ones(1)
        return Decoded(logits, logits, one, one, one)


@pytest.fixture
def known():
    features = scene(thing=(2, 2), other=(6, 0))
    return looks_of(features.picture, features, square(2, 2)[None, None])


def test_a_target_is_found_elsewhere(known):
    found = find_by_look(scene(thing=(4, 6), other=(0, 0)), known, Segmenter(), 0.9)
    assert torch.equal(found.decoded.low_res[0, 0] > 0, square(4, 6) > 0)


def test_what_was_beside_the_target_is_not_taken_for_it(known):
    assert find_by_look(scene(other=(4, 6)), known, Segmenter(), -2.0) is None


def test_what_is_less_like_the_target_than_it_must_be_is_not_taken(known):
    assert find_by_look(scene(thing=(4, 6)), known, Segmenter(), 2.1) is None


def test_a_target_that_filled_the_frame_has_no_place_to_be_looked_for():
    features = scene(thing=(2, 2))
    whole = looks_of(features.picture, features, torch.full((1, 1, 32, 32), 5.0))
    assert find_by_look(scene(thing=(4, 6)), whole, Segmenter(), -2.0) is None
