"""How the situations are judged; the command itself on one short sequence."""

from __future__ import annotations

import numpy as np
import pytest

from fastsam2_ros.cli import main
from fastsam2_ros.lab.evaluation.situations import WITHIN, another_taken, back_within

GONE = [1.0, 0.0, 0.0]
BACK = [0.3] + [1.0] * (WITHIN + 5)


@pytest.mark.parametrize(
    ("overlaps", "again"),
    [
        ([0.9] * 3 + [0.0] + [0.9] * (WITHIN + 5), True),
        ([0.9] * 3 + [0.0] * (WITHIN + 1) + [0.6] + [0.0] * 4, True),
        ([0.9] * 3 + [0.0] * (WITHIN + 2) + [0.9] * 4, False),
        ([0.9] * 3 + [0.4] * (WITHIN + 6), False),
    ],
    ids=["at once", "in the last frame that counts", "too late", "what is found is not it"],
)
def test_a_target_is_back_in_time_or_not(overlaps, again):
    assert back_within(GONE + BACK, overlaps) is again


@pytest.mark.parametrize("visible", [[1.0] * 20, [1.0, 0.0, 0.0, 0.4]], ids=["never gone", "not back by half"])
def test_what_never_was_gone_or_is_not_back_says_nothing(visible):
    assert back_within(visible, [1.0] * len(visible)) is None


@pytest.mark.parametrize(
    ("columns", "taken"),
    [(slice(0, 2), False), (slice(2, 4), False), (slice(4, 6), True), (slice(3, 6), True), (slice(0, 0), False)],
    ids=["background", "target", "another", "another for the most part", "nothing"],
)
def test_another_thing_is_taken_where_most_of_the_mask_is_on_it(columns, taken):
    ids = np.array([[0, 0, 1, 1, 2, 2]], np.uint8)
    mask = np.zeros(ids.shape, bool)
    mask[:, columns] = True
    assert another_taken(ids, mask, target=1) is taken


def test_the_table_fits_eighty_columns(capsys):
    assert main(["situations", "--sequences", "1", "--only", "changed", "--set", "model.device=cpu"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert any("frames that show the old target" in line and "0" in line for line in lines)
    assert max(map(len, lines)) <= 80


def test_frames_of_a_search_must_be_enough(capsys):
    assert main(["situations", "--frames", "100"]) == 2
    assert "--frames above 100" in capsys.readouterr().err
