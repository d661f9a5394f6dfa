from __future__ import annotations

from dataclasses import replace

import pytest

from fastsam2_ros.errors import InputError
from fastsam2_ros.lab.evaluation.ablation.comparison import Row, rows
from fastsam2_ros.lab.evaluation.ablation.matching import resolve
from fastsam2_ros.lab.evaluation.ablation.policies import KEEP, Match, Policy
from fastsam2_ros.lab.evaluation.ablation.store import Results

from .measurements import measurement

DENSE, HALF = Policy("dense", KEEP, "g"), Policy("keep 0.5", KEEP, "g")
OTHER = Policy("default", "budget", "g")


def measured(*, tokens: float, cost: float) -> list[Row]:
    """Rows of two fixed ratios, and of a budget with other tokens and cost."""
    budget = replace(measurement(0.5, ratio=tokens), flops=[0.0, cost * 1e9, cost * 1e9, cost * 1e9])
    done = {"1": measurement(0.9), "2": measurement(0.7, ratio=0.5), "3": budget}
    results = Results({"w/a": ("w",)}, {"w/a": done})
    return rows([DENSE, HALF, OTHER], {"dense": "1", "keep 0.5": "2", "default": "3"}, results)


@pytest.mark.parametrize(
    ("match", "ratio"),
    [
        (Match(tokens_of="default"), 0.75),
        (Match(cost_of="default"), 0.6),
    ],
)
def test_the_ratio_is_read_off_the_measured_ones(match: Match, ratio: float) -> None:
    """Half the ratio costs half: between two measured ratios it goes straight, and it stays within them."""
    (found,) = resolve([Policy("fixed", KEEP, "g", match=match)], measured(tokens=0.75, cost=0.6))
    assert found.settings == {"pruning.keep_ratio": ratio}
    assert found.match is None


def test_policies_that_stand_by_themselves_stay_as_they_are() -> None:
    assert resolve([HALF], measured(tokens=0.5, cost=0.5)) == [HALF]


def test_what_is_matched_must_have_been_measured() -> None:
    policy = Policy("fixed", KEEP, "g", match=Match(tokens_of="none"))
    with pytest.raises(InputError, match="'none'"):
        resolve([policy], measured(tokens=0.5, cost=0.5))


def test_two_fixed_ratios_are_needed() -> None:
    policy = Policy("fixed", KEEP, "g", match=Match(cost_of="dense"))
    with pytest.raises(InputError, match="keep ratio"):
        resolve([policy], measured(tokens=0.5, cost=0.5)[:1])
