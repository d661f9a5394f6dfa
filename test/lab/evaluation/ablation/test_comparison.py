from __future__ import annotations

import math

import pytest

from fastsam2_ros.lab.evaluation.ablation.comparison import Difference, front, group_names, pair, rows
from fastsam2_ros.lab.evaluation.ablation.policies import Policy
from fastsam2_ros.lab.evaluation.ablation.store import Results

from .measurements import measurement


def test_the_front_is_what_nothing_else_beats() -> None:
    points = [(1.0, 0.9), (0.5, 0.8), (0.6, 0.7), (0.2, 0.5), (0.5, 0.6), (0.1, 0.4)]
    assert front(points) == [5, 3, 1, 0]


def test_a_dearer_point_of_the_same_quality_is_not_on_the_front() -> None:
    assert front([(1.0, 0.9), (0.5, 0.9)]) == [1]


def test_of_equal_points_the_first_is_on_the_front() -> None:
    assert front([(0.5, 0.9), (0.5, 0.9)]) == [0]


def test_no_points_have_no_front() -> None:
    assert front([]) == []


def test_differences_are_paired_over_the_sequences_that_both_have() -> None:
    """Differences .1 and .3: their mean is .2, their deviation .141, the standard error a root of two less."""
    difference = pair({"a": 0.6, "b": 0.9, "c": 1.0}, {"a": 0.5, "b": 0.6, "d": 0.0})
    assert (difference.mean, difference.error, difference.count) == (pytest.approx(0.2), pytest.approx(0.1), 2)


def test_one_sequence_has_no_standard_error() -> None:
    assert math.isnan(pair({"a": 1.0}, {"a": 0.5}).error)


@pytest.mark.parametrize(
    ("mean", "error", "verdict"),
    [
        (0.02, 0.01, "better"),
        (-0.02, 0.01, "worse"),
        (0.019, 0.01, "not told apart"),
        (0.5, math.nan, "not told apart"),
        (0.0, 0.0, "equal"),
        (math.nan, math.nan, "not told apart"),
    ],
)
def test_a_difference_is_called_one_from_two_standard_errors_on(mean: float, error: float, verdict: str) -> None:
    assert Difference(mean, error, 5).verdict == verdict


@pytest.fixture
def results() -> Results:
    """Dense, and half the tokens: .1 and .3 worse."""
    return Results(
        groups={"w/a": ("w", "level 1"), "w/b": ("w", "level 2"), "d/c": ("d",)},
        measurements={
            "w/a": {"k1": measurement(0.8), "k2": measurement(0.7, ratio=0.5, seconds=1.5)},
            "w/b": {"k1": measurement(0.8), "k2": measurement(0.5, ratio=0.3, seconds=0.5)},
            "d/c": {"k1": measurement(0.4), "k2": measurement(0.5, ratio=0.5)},
        },
    )


POLICIES = [Policy("dense", "keep ratio", "g"), Policy("half", "keep ratio", "g", against="dense")]


def table(results: Results):
    return {(row.group, row.policy.name): row for row in rows(POLICIES, {"dense": "k1", "half": "k2"}, results)}


def test_data_sets_come_first_then_levels(results) -> None:
    assert group_names(results) == ["w", "d", "level 1", "level 2"]


def test_every_group_has_a_row_for_every_policy(results) -> None:
    found = table(results)
    assert [found[each, "half"].sequences for each in ("w", "d", "level 1", "level 2")] == [2, 1, 1, 1]
    assert found["w", "half"].j_and_f == pytest.approx(0.65)
    assert found["w", "dense"].j_and_f == pytest.approx(0.85)


def test_a_row_says_how_much_worse_it_is_on_the_same_sequences(results) -> None:
    row = table(results)["w", "half"]
    assert (row.to_dense.mean, row.to_dense.error) == (pytest.approx(-0.2), pytest.approx(0.1))
    assert row.to_other == row.to_dense


def test_costs_are_shares_of_the_dense_ones_over_tracked_frames(results) -> None:
    row = table(results)["w", "half"]
    assert [row.keep_ratio, row.queries, row.keys, row.cost] == pytest.approx([0.4] * 4)
    assert row.memory_bytes == 500


def test_times_are_shares_of_those_of_the_same_run(results) -> None:
    """1.5 and .5 seconds of 2."""
    assert table(results)["w", "half"].seconds == pytest.approx({"attend": 0.5, "step": 0.5})


def test_sequences_in_which_nothing_is_judged_do_not_count(results) -> None:
    for each in results.measurements["w/b"].values():
        each.frames, each.j, each.f = {}, {}, {}
    assert table(results)["w", "half"].sequences == 1
    assert ("level 2", "half") not in table(results)
