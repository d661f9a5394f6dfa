"""How much must speak for what is found."""

import pytest

from fastsam2_ros.look import SAME_LOOK
from fastsam2_ros.seen import TOLD_MARGIN, TOLD_MOST, least_look


@pytest.mark.parametrize(
    ("lead", "less"),
    [(0.0, 0.0), (TOLD_MARGIN, 0.0), (TOLD_MARGIN + 0.05, 0.1), (1.0, TOLD_MOST)],
    ids=["just found", "where it begins", "told well", "at most"],
)
def test_what_the_text_is_sure_of_may_look_less_alike(lead, less):
    assert least_look(lead) == pytest.approx(SAME_LOOK - less)
