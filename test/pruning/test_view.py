"""What the router decided, as plain arrays."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from fastsam2_ros.pruning.view import target_tokens

GRID = (2, 3)


def contributions(*cues: list[float]) -> torch.Tensor:
    """(cues, 1, 6)."""
    return torch.tensor(cues)[:, None]


def test_kept_tokens_are_where_they_lie_in_the_frame():
    (target,) = target_tokens([7], [torch.tensor([1, 5])], None, GRID)
    assert target.kept.tolist() == [[False, True, False], [False, False, True]]
    assert target.keep_ratio == pytest.approx(2 / 6)


def test_a_target_without_a_choice_keeps_all():
    (target,) = target_tokens([7], [None], None, GRID)
    assert target.kept.shape == GRID
    assert target.keep_ratio == 1


def test_the_cue_is_the_one_that_contributed_most():
    added = contributions([0.9, 0.1, 0.0, 0.0, 0.2, 0.0], [0.1, 0.3, 0.0, 0.5, 0.1, 0.0])
    (target,) = target_tokens([7], [torch.tensor([0])], added, GRID)
    np.testing.assert_array_equal(target.cue, [[0, 1, -1], [1, 0, -1]])


@pytest.mark.parametrize("added", [None, torch.zeros(0, 1, 6)], ids=["nothing scored", "no cue on"])
def test_without_scores_no_cue_is_named(added):
    (target,) = target_tokens([7], [None], added, GRID)
    assert (target.cue == -1).all()


def test_targets_come_by_rising_id_with_their_own_tokens_and_cues():
    added = torch.zeros(2, 2, 6)
    added[0, 0], added[1, 1] = 1, 1
    first, second = target_tokens([9, 4], [torch.tensor([0]), torch.tensor([3, 4])], added, GRID)
    assert (first.id, second.id) == (4, 9)
    assert (first.kept.sum(), second.kept.sum()) == (2, 1)
    assert (set(first.cue.flat), set(second.cue.flat)) == ({1}, {0})


def test_no_targets_give_no_views():
    assert target_tokens([], [], None, GRID) == ()
