"""Which parts of a mask are left out."""

from __future__ import annotations

import pytest
import torch

from fastsam2_ros.strays import without_strays
from fastsam2_ros.streaming.values import Decoded

MAIN, SPECK, LARGE = (slice(2, 10), slice(2, 10)), (slice(12, 14), slice(12, 14)), (slice(12, 16), slice(0, 8))


def decoded(*parts):
    low_res = torch.full((1, 1, 16, 16), -3.0)
    for part in parts:
        low_res[0, 0][part] = 2.0
    high_res = torch.nn.functional.interpolate(low_res, scale_factor=4.0)
    return Decoded(low_res, high_res, torch.ones(1), torch.ones(1), torch.zeros(1, 2))


def expected(*cells):
    places = torch.zeros(1, 4, 4)
    for row, column in cells:
        places[0, row, column] = 0.5
    return places


@pytest.mark.parametrize(
    ("part", "places", "stays"),
    [
        (SPECK, [(1, 1)], False),
        (SPECK, [(1, 1), (3, 3)], True),
        (LARGE, [(1, 1)], True),
        (SPECK, [], False),
    ],
    ids=["small, and new there", "small, but expected there", "large", "small, and nothing is expected anywhere"],
)
def test_a_small_part_where_nothing_was_is_left_out(part, places, stays):
    given = decoded(MAIN, part)
    result = without_strays(given, expected(*places))
    assert torch.equal(result.low_res > 0, decoded(*([MAIN, part] if stays else [MAIN])).low_res > 0)
    assert torch.equal(result.high_res > 0, decoded(*([MAIN, part] if stays else [MAIN])).high_res > 0)


@pytest.mark.parametrize("parts", [(), (MAIN,)], ids=["none", "one"])
def test_a_mask_of_one_part_stays_as_it_is(parts):
    given = decoded(*parts)
    assert without_strays(given, expected()) is given


def test_each_target_has_strays_of_its_own():
    one, two = decoded(MAIN, SPECK), decoded(SPECK)
    both = Decoded(*(torch.cat([a, b]) for a, b in zip(vars(one).values(), vars(two).values(), strict=True)))
    result = without_strays(both, torch.cat([expected((1, 1)), expected()]))
    assert (result.low_res > 0).flatten(1).sum(1).tolist() == [64, 4]
