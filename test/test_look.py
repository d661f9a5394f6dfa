"""How a target is known again."""

import numpy as np
import pytest
import torch

from fastsam2_ros.look import COLOUR_STEPS, COLOURS_SHARE, LEAD, likeness, looks_of
from fastsam2_ros.streaming.values import FrameFeatures

GRID = (8, 8)


def features(*halves):
    """Tokens of the left and right half of a frame."""
    tokens = torch.zeros(*GRID, 4)
    tokens[:, :4], tokens[:, 4:] = (torch.tensor(half) for half in halves)
    empty = torch.zeros(1, 1, 1, 1)
    return FrameFeatures((empty, empty, empty), tokens.flatten(0, 1), GRID, (64, 64), np.zeros((64, 64, 3), np.uint8))


def frame(left, right):
    pixels = np.zeros((64, 64, 3), np.uint8)
    pixels[:, :32], pixels[:, 32:] = left, right
    return pixels


FEATURES = features([1.0, 0, 0, 0], [0.0, 1, 0, 0])
FRAME = frame((220, 30, 30), (30, 200, 30))


def masks(*columns):
    low_res = torch.full((len(columns), 1, 32, 32), -5.0)
    for row, part in enumerate(columns):
        low_res[row, 0, :, part] = 5.0
    return low_res


LEFT, RIGHT = slice(0, 16), slice(16, 32)


def test_a_thing_is_like_itself():
    one, two = looks_of(FRAME, FEATURES, masks(slice(0, 8), slice(8, 16)))
    assert one.likeness(two) == pytest.approx(1)


def test_another_token_and_another_colour_are_nothing_alike():
    left, right = looks_of(FRAME, FEATURES, masks(LEFT, RIGHT))
    assert left.likeness(right) == pytest.approx(0, abs=1e-6)


def test_colours_count_for_their_share():
    left, right = looks_of(frame((220, 30, 30), (220, 30, 30)), FEATURES, masks(LEFT, RIGHT))
    assert left.likeness(right) == pytest.approx(COLOURS_SHARE)


def test_colours_do_not_change_with_the_exposure():
    bright, dark = frame((200, 60, 60), (60, 200, 60)), frame((100, 30, 30), (30, 100, 30))
    assert looks_of(bright, FEATURES, masks(LEFT))[0].likeness(
        looks_of(dark, FEATURES, masks(LEFT))[0]
    ) == pytest.approx(1)


def test_the_target_leads_over_what_was_beside_it():
    (left,) = looks_of(FRAME, FEATURES, masks(slice(0, 12)))
    assert left.lead(left) == pytest.approx(1)


def test_what_was_beside_the_target_is_rather_that():
    left, right = looks_of(FRAME, FEATURES, masks(slice(0, 12), slice(20, 32)))
    assert right.lead(left) == pytest.approx(-1)


@pytest.mark.parametrize("columns", [slice(0, 0), slice(0, 32)], ids=["empty", "the whole frame"])
def test_without_a_target_or_anything_beside_it_nothing_leads(columns):
    (left,) = looks_of(FRAME, FEATURES, masks(LEFT))
    (known,) = looks_of(FRAME, FEATURES, masks(columns))
    assert left.lead(known) == 0


def test_a_thing_that_is_smaller_than_a_token_has_one():
    (small,) = looks_of(FRAME, FEATURES, masks(slice(1, 2)))
    assert small.inside.any()


def test_the_lead_counts_in_the_likeness_to_what_is_known():
    left, right = looks_of(FRAME, FEATURES, masks(slice(0, 12), slice(20, 32)))
    assert likeness(left, [left]) == pytest.approx(1 + LEAD)
    assert likeness(right, [left]) == pytest.approx(-LEAD, abs=1e-6)


def test_an_empty_mask_is_like_nothing():
    thing, nothing = looks_of(FRAME, FEATURES, masks(LEFT, slice(0, 0)))
    assert thing.likeness(nothing) == 0


def test_colours_are_shares():
    (left,) = looks_of(FRAME, FEATURES, masks(LEFT))
    assert left.colours.shape == (COLOUR_STEPS**3,)
    assert float(left.colours.square().sum()) == pytest.approx(1)


def test_of_several_known_looks_the_likest_counts():
    left, right = looks_of(FRAME, FEATURES, masks(LEFT, RIGHT))
    assert likeness(left, [right, left]) == pytest.approx(likeness(left, [left]))


def test_where_nothing_is_known_everything_is_like_it():
    (left,) = looks_of(FRAME, FEATURES, masks(LEFT))
    assert likeness(left, []) == 1
