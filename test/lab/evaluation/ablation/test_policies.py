from __future__ import annotations

from collections import Counter

import pytest

from fastsam2_ros.config import PruningConfig, TrackerConfig, flat_values
from fastsam2_ros.errors import InputError
from fastsam2_ros.lab.evaluation.ablation.policies import (
    ALONE,
    BUDGET,
    DEFAULT,
    DENSE,
    KEEP,
    WITHOUT,
    Match,
    Policy,
    Variant,
    all_policies,
    configure,
    cues,
    select,
)

BASE = flat_values(TrackerConfig())
EVERY = all_policies("mini", text=True)


def named(name: str) -> Policy:
    return next(policy for policy in EVERY if policy.name == name)


def test_names_are_unique() -> None:
    assert [name for name, count in Counter(policy.name for policy in EVERY).items() if count > 1] == []


def test_every_policy_is_paired_and_matched_with_one_that_is_there() -> None:
    names = {policy.name for policy in EVERY} | {""}
    for policy in EVERY:
        match = policy.match or Match()
        assert {policy.against, match.tokens_of, match.cost_of} <= names


def test_no_policy_changes_the_image_encoder() -> None:
    settings = {name for policy in EVERY for name in policy.settings if name.startswith("model.")}
    assert settings <= {"model.memory_frames"}


def test_the_default_is_the_settings_own() -> None:
    assert configure(named(DEFAULT), BASE) == Variant(TrackerConfig())


def test_the_default_budget_is_measured_once() -> None:
    budgets = [configure(policy, BASE) for policy in EVERY if policy.family == BUDGET]
    assert len(budgets) >= 3
    assert all(budgets.count(each) == 1 for each in budgets)


def test_random_tokens_are_the_baselines_alone() -> None:
    drawn = [policy.name for policy in EVERY if configure(policy, BASE).random_tokens]
    assert drawn == ["random 0.35", "random 0.16", "random 0.1"]


def test_the_dense_one_keeps_everything() -> None:
    assert configure(named(DENSE), BASE).config.pruning.keep_ratio == 1.0


def test_each_cue_is_taken_away_and_is_alone() -> None:
    for cue in cues():
        away = configure(named(f"without {cue}"), BASE).config.pruning
        assert getattr(away, f"{cue}_weight") == 0
        off = [other for other in cues() if other != cue and getattr(PruningConfig(), f"{other}_weight") == 0]
        assert [other for other in cues() if other != cue and getattr(away, f"{other}_weight") == 0] == off
        alone = configure(named(f"{cue} alone"), BASE).config.pruning
        assert [other for other in cues() if getattr(alone, f"{other}_weight") > 0] == [cue]


def test_a_cue_that_is_off_by_default_is_judged_where_it_is_on() -> None:
    assert PruningConfig().context_weight == 0
    assert named("without context").against == "with context"
    assert configure(named("with context"), BASE).config.pruning.context_weight > 0
    assert named("without mask").against == "keep 0.16"


def test_without_a_language_model_the_text_cue_is_left_out() -> None:
    policies = [policy for policy in all_policies() if policy.family in (WITHOUT, ALONE)]
    assert [policy.name for policy in policies if policy.name in ("without text", "text alone")] == []
    assert len(policies) == 2 * (len(cues()) - 1)


def test_routers_that_are_not_there_are_left_out() -> None:
    assert [policy.name for policy in all_policies() if "learned" in policy.name] == []


def test_a_setting_that_does_not_exist_is_named_with_its_policy() -> None:
    with pytest.raises(InputError, match=r"'new' needs the setting pruning\.no_such"):
        configure(Policy("new", KEEP, "g", {"pruning.no_such": 1}), BASE)


def test_a_value_that_cannot_be_is_named_with_its_policy() -> None:
    with pytest.raises(InputError, match=r"'odd' cannot be: pruning\.keep_ratio is 2"):
        configure(Policy("odd", KEEP, "g", {"pruning.keep_ratio": 2}), BASE)


def test_a_policy_of_another_encoder_is_refused() -> None:
    with pytest.raises(InputError, match=r"'large' sets model\.name"):
        configure(Policy("large", KEEP, "g", {"model.name": "large"}), BASE)


def test_names_and_families_can_be_chosen_and_the_dense_one_always_is() -> None:
    assert [policy.name for policy in select(EVERY, [DEFAULT])] == [DENSE, DEFAULT]
    assert {policy.family for policy in select(EVERY, [WITHOUT])} == {KEEP, WITHOUT}


def test_a_matched_policy_comes_with_its_family_where_its_model_does() -> None:
    assert "fixed as default" not in {policy.name for policy in select(EVERY, [KEEP])}
    assert "fixed as default" in {policy.name for policy in select(EVERY, [KEEP, DEFAULT])}


def test_an_unknown_name_is_told() -> None:
    with pytest.raises(InputError, match="'kep ratio'"):
        select(EVERY, ["kep ratio"])
