"""How much must speak for what is found."""

from types import SimpleNamespace

import pytest

from fastsam2_ros import seen
from fastsam2_ros.look import SAME_LOOK
from fastsam2_ros.seen import TOLD_MARGIN, TOLD_MOST, least_look, least_scores


@pytest.mark.parametrize(
    ("lead", "less"),
    [(0.0, 0.0), (TOLD_MARGIN, 0.0), (TOLD_MARGIN + 0.05, 0.1), (1.0, TOLD_MOST)],
    ids=["just found", "where it begins", "told well", "at most"],
)
def test_what_the_text_is_sure_of_may_look_less_alike(lead, less):
    assert least_look(lead) == pytest.approx(SAME_LOOK - less)


@pytest.mark.parametrize(
    ("looks", "alike", "alike_first"), [((0.2, 0.9), 0.9, 0.2), ((0.9, 0.2), 0.9, 0.9), ((), 1.0, 1.0)]
)
def test_the_likeness_to_the_first_look_is_noted_beside_the_best(monkeypatch, looks, alike, alike_first):
    monkeypatch.setattr(seen, "likeness", lambda look, known: max(known))
    target = SimpleNamespace(looks=looks, pruning=SimpleNamespace(unseen=0.0))
    least_scores([target], ["look"], 0.25)
    assert (target.alike, target.alike_first) == (alike, alike_first)
