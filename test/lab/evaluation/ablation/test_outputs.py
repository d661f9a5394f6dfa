from __future__ import annotations

from fastsam2_ros.lab.evaluation.ablation.outputs import liveliest


def test_the_sequence_whose_budget_goes_up_and_down_is_shown() -> None:
    budgets = {"steady": [1.0] * 5, "falls": [1.0, 0.3, 0.3, 0.3, 0.3], "trembles": [1.0, 0.3, 0.4, 0.3, 0.4]}
    wakes = {"wakes twice": [0.8, 0.4, 0.7, 0.4, 0.7], "wakes": [1.0, 0.4, 0.7, 0.7, 0.7]}
    assert liveliest(budgets) == "trembles"
    assert liveliest(budgets | wakes) == "wakes"
