from __future__ import annotations

import pytest

from fastsam2_ros.lab.evaluation.ablation.categories import categories, groups
from fastsam2_ros.lab.evaluation.worlds import WorldDataset

from .worlds import world

STILL = [30.0] * 6


def test_a_still_target_alone_is_slow_and_nothing_else() -> None:
    assert categories(world(lefts=STILL)) == ["slow motion"]


@pytest.mark.parametrize(
    ("other", "alike"),
    [
        (("red", "plain", "spoon"), True),
        (("blue", "plain", "mug"), True),
        (("red", "striped", "spoon"), False),
        (("blue", "striped", "spoon"), False),
    ],
)
def test_a_lookalike_shares_two_attributes(other: tuple[str, str, str], alike: bool) -> None:
    assert ("look-alikes" in categories(world(lefts=STILL, others=[other]))) is alike


@pytest.mark.parametrize(("pixels", "found"), [(1, ["slow motion"]), (2, []), (3, ["fast motion"])])
def test_speed_is_in_diagonals_per_second(pixels: float, found: list[str]) -> None:
    """One pixel of a diagonal of 100, ten times a second, is .1."""
    assert categories(world(lefts=[10 + pixels * t for t in range(6)])) == found


def test_where_the_target_is_half_hidden_its_box_says_nothing_of_speed() -> None:
    lefts = [30, 30, 30, 30, 38, 46, 54, 62, 62]
    assert "fast motion" in categories(world(lefts=lefts))
    hidden = world(lefts=lefts, visible=[1, 1, 1, 1, 0.6, 0.6, 0.6, 0.6, 0.6])
    assert "slow motion" in categories(hidden)


@pytest.mark.parametrize(("frames", "occluded"), [(2, False), (3, True)])
def test_an_occluded_target_is_half_hidden_for_three_frames(frames: int, occluded: bool) -> None:
    visible = [1.0, *[0.4] * frames, *[1.0] * (5 - frames)]
    assert ("occlusion" in categories(world(lefts=STILL, visible=visible))) is occluded


def test_a_target_that_leaves_the_frame_is_not_occluded() -> None:
    assert "occlusion" not in categories(world(lefts=[1, 0, 0, 0, 0, 0], visible=[1, 0.4, 0.4, 0.4, 0.4, 0.4]))


def test_a_target_that_is_gone_behind_something_is_occluded() -> None:
    assert "occlusion" in categories(world(lefts=[30, 30, None, None, None, 30]))


def test_a_target_that_is_gone_over_the_border_is_not_occluded() -> None:
    found = categories(world(lefts=[1, 0, None, None, None, 0]))
    assert "occlusion" not in found
    assert "re-entry" in found


@pytest.mark.parametrize(
    "lefts", [[30, None, None, 30, 30, 30], [30, 30, 30, None, None, None], [30, None, None, 30, None, 30]]
)
def test_a_target_returns_after_three_frames_in_a_row(lefts: list[float | None]) -> None:
    assert "re-entry" not in categories(world(lefts=lefts))


def test_a_generated_sequence_counts_for_its_data_set_its_level_and_its_difficulties() -> None:
    sequence = WorldDataset(1, (96, 128)).open("1000000-level-1", 4)
    assert groups(sequence, "synthetic")[:2] == ("synthetic", "level 1")


@pytest.mark.parametrize(("rows", "large"), [(4, False), (5, True)])
def test_a_large_target_covers_much_of_the_frames_in_which_it_is_seen(rows: int, large: bool) -> None:
    made = world(lefts=STILL)
    made.ids[:3, :rows] = made.target  # of 60 rows, in half of the frames
    assert ("large target" in categories(made)) is large
