from __future__ import annotations

from fastsam2_ros.evaluation.ablation.outputs import liveliest


def test_the_sequence_whose_budget_goes_up_and_down_is_shown() -> None:
    assert liveliest({"steady": [1.0, 1.0, 1.0], "falls": [1.0, 0.5, 0.3], "wakes": [1.0, 0.4, 0.7]}) == "wakes"
