"""The budget: bounded, monotonic, rising at once and falling slowly."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from fastsam2_ros.config import PruningConfig
from fastsam2_ros.pruning.budget import STEPS, WINDOW, Budget, Deadline, keep_ratio_at, level_of

CONFIG = PruningConfig(min_keep_ratio=0.15, max_keep_ratio=1.0, full_motion=1.0, fall_seconds=1.0)


def settled(magnitude: float, config: PruningConfig = CONFIG, **named) -> float:
    """The ratio after three quiet seconds and then this motion."""
    budget = Budget(config)
    for _ in range(30):
        budget.update(0.0, 0.1, False)
    return budget.update(magnitude, 0.1, False, **named)


def test_a_still_scene_falls_to_the_floor():
    assert settled(0.0) == 0.15


@pytest.mark.parametrize("magnitude", [1.0, 50.0, float("inf"), float("nan")])
def test_much_motion_leads_to_the_ceiling(magnitude):
    assert settled(magnitude) == 1.0


def test_more_motion_never_gets_less():
    ratios = [settled(magnitude / 20) for magnitude in range(25)]
    assert ratios == sorted(ratios)
    assert len(set(ratios)) > 4


def test_only_steps_come_out():
    assert {settled(magnitude / 40) for magnitude in range(50)} <= {keep_ratio_at(step) for step in STEPS}


@pytest.mark.parametrize("keep_ratio", [0.01, 0.1, 0.15, 0.1501, 0.164, 0.253, 0.6, 1.0])
def test_a_level_stands_for_its_keep_ratio(keep_ratio):
    assert keep_ratio_at(level_of(keep_ratio)) == pytest.approx(keep_ratio)


def test_levels_between_the_two_rules_for_memory_stand_for_the_keep_ratio_below():
    assert {keep_ratio_at(level) for level in (0.2, 0.24, 0.28)} == {0.15}


@pytest.mark.parametrize(("level", "keep_ratio"), [(0.2, 0.15), (0.3, 0.164317), (0.4, 0.252982), (0.5, 0.353553)])
def test_the_steps_of_the_default_budget(level, keep_ratio):
    """What .2, .3, .4 and .5 meant while a keep ratio was the geometric mean of queries and memory."""
    assert keep_ratio_at(level) == pytest.approx(keep_ratio, abs=1e-6)


def test_it_starts_at_the_ceiling():
    assert Budget(CONFIG).update(0.0, 0.0, False) == 1.0


def test_it_falls_slowly():
    budget = Budget(CONFIG)
    ratios = [budget.update(0.0, 0.1, False) for _ in range(12)]
    assert ratios == sorted(ratios, reverse=True)
    assert 0.35 <= ratios[4] <= 0.6  # half of the second in which it falls from 1.0 to .15
    assert ratios[-1] == 0.15


def test_it_rises_at_once():
    budget = Budget(CONFIG)
    for _ in range(30):
        budget.update(0.0, 0.1, False)
    assert budget.update(2.0, 0.1, False) == 1.0


def test_one_quiet_frame_between_two_busy_ones_takes_nothing_away():
    budget = Budget(CONFIG)
    ratios = [budget.update(magnitude, 0.03, False) for magnitude in (2.0, 0.0, 2.0, 0.0)]
    assert ratios == [1.0] * 4


def test_uncertainty_forces_the_ceiling():
    budget = Budget(CONFIG)
    for _ in range(30):
        budget.update(0.0, 0.1, False)
    assert budget.update(0.0, 0.1, True) == 1.0


@pytest.mark.parametrize("seconds", [0.0, -1.0])
def test_standing_stamps_do_not_let_it_fall(seconds):
    budget = Budget(CONFIG)
    for _ in range(100):
        ratio = budget.update(0.0, seconds, False)
    assert ratio == 1.0


def test_a_fixed_ratio_is_fixed():
    budget = Budget(PruningConfig(keep_ratio=0.37))
    assert {budget.update(m, 0.1, u, 0.2) for m in (0.0, 5.0) for u in (True, False)} == {0.37}


def test_late_steps_lower_the_ceiling_and_early_ones_raise_it_again():
    deadline = Deadline(PruningConfig(min_keep_ratio=0.15, max_keep_ratio=1.0, target_rate=10.0))
    late = [deadline.update(0.2) for _ in range(30)]
    assert late == sorted(late, reverse=True)
    assert late[-1] == 0.15
    early = [deadline.update(0.05) for _ in range(200)]
    assert early == sorted(early)
    assert early[WINDOW - 2] == 0.15
    assert early[-1] == 1.0


@pytest.mark.parametrize(("seconds", "left"), [(0.101, 0.9), (0.125, 0.8), (0.9, 0.5)])
def test_a_late_step_lowers_what_it_had_by_as_much_as_it_was_late(seconds, left):
    deadline = Deadline(PruningConfig(target_rate=10.0))
    for _ in range(100):
        deadline.update(0.05, 0.4)
    assert deadline.update(seconds, 0.4) == pytest.approx(left * 0.4)


def under_load(seconds: float, load: float = 2.0, fixed: float = 0.03, rate: float = 10.0) -> list[tuple[float, bool]]:
    """Ceiling and whether the step was in time, of every step from the moment on that steps take `load` times as long.

    Args:
        seconds: of the load; as long again follows without it.
        fixed: of a step's time without load, what does not depend on the tokens, seconds; the tokens take up to .06 s.
    """
    deadline, now, steps, step, ceiling = Deadline(PruningConfig(target_rate=rate)), 0.0, [], fixed, 1.0
    while now < 2 * seconds:
        ceiling = deadline.update(step, ceiling)
        step = (fixed + 0.06 * ceiling) * (load if now < seconds else 1.0)
        steps.append((ceiling, step <= 1 / rate))
        now += max(step, 1 / rate)
    return steps


def test_two_seconds_into_a_load_95_of_100_steps_are_in_time_again():
    steps = under_load(20.0)
    assert not all(in_time for _, in_time in steps[:3])
    loaded = [in_time for _, in_time in steps[20:200]]
    assert sum(loaded) >= 0.95 * len(loaded)


def test_under_a_load_the_ceiling_is_no_lower_than_it_must_be():
    """.03 + .06 c seconds, twice, are .1 at a ceiling of a third."""
    loaded = [ceiling for ceiling, _ in under_load(20.0)[20:200]]
    assert min(loaded) > 0.25


def test_after_a_load_everything_comes_back():
    assert under_load(20.0)[-1] == (1.0, True)


def test_what_cannot_be_held_is_told():
    deadline = Deadline(PruningConfig(target_rate=10.0))
    told = [(deadline.update(0.2), deadline.missed)[1] for _ in range(10)]
    assert told == [False] * 4 + [True] * 6  # three steps from 1 to .15 by halves, and two that are late there


def test_a_load_that_goes_as_the_floor_is_reached_is_not_told():
    deadline = Deadline(PruningConfig(target_rate=10.0))
    seconds = [0.2] * 3 + [0.05] * 5
    assert not any((deadline.update(each), deadline.missed)[1] for each in seconds)


def test_what_is_held_again_is_not_told_for_long():
    deadline = Deadline(PruningConfig(target_rate=10.0))
    for _ in range(10):
        deadline.update(0.2)
    for _ in range(WINDOW):
        deadline.update(0.05)
    assert not deadline.missed


def test_a_fixed_ratio_has_no_deadline():
    deadline = Deadline(PruningConfig(keep_ratio=0.5, target_rate=10.0))
    assert {deadline.update(0.2) for _ in range(30)} == {1.0}
    assert not deadline.missed


def test_without_a_rate_no_step_is_late():
    deadline = Deadline(PruningConfig(max_keep_ratio=0.9))
    assert {deadline.update(9.0) for _ in range(5)} == {1.0}


def sizes_under_load(
    load: float,
    rest: float = 0.06,
    tokens: float = 0.02,
    share: float = 0.31,
    seconds: float = 20.0,
    after: float = 60.0,
    noise: float = 0.0,
    spikes: float = 0.0,
) -> list[tuple[bool, bool]]:
    """As `under_load`, with small frames of half the side: whether a step was small, and in time.

    Args:
        load: by how much steps take longer for `seconds`; as they are for `after`.
        rest, tokens: seconds of a step with a large frame, whatever the tokens, and with all of them.
        share: of `rest` that it is with a small frame; .31 was measured with mini.
        noise, spikes: sigma of the logarithm of a step's time, and the share of steps that take twice as long.
    """
    deadline, now, step, steps, small = Deadline(PruningConfig(target_rate=10.0), 0.5), 0.0, 0.0, [], False
    chance = np.random.default_rng(0)
    while now < seconds + after:
        if small != deadline.small:
            small, step = deadline.small, 0.0
            deadline.resized()
        ceiling = deadline.update(step)
        step = rest * share + tokens / 16 * ceiling if small else rest + tokens * ceiling
        step *= (
            (load if now < seconds else 1) * np.exp(noise * chance.normal()) * (2 if chance.random() < spikes else 1)
        )
        steps.append((small, step <= 0.1))
        now += max(step, 0.1)
    return steps


def test_where_the_floor_is_not_enough_frames_are_small_within_two_seconds():
    steps = sizes_under_load(load=3.0)
    first = steps.index((True, True))
    assert first * 0.24 <= 2.0
    loaded = steps[first : first + 150]
    assert sum(in_time for _, in_time in loaded) >= 0.95 * len(loaded)


@pytest.mark.parametrize("rest", [0.05, 0.08])
@pytest.mark.parametrize("share", [0.25, 0.31, 0.45])
def test_frames_are_large_again_after_the_load_and_stay_so(rest, share):
    steps = sizes_under_load(2.0, rest, share=share)
    assert (True, True) in steps
    assert set(steps[-100:]) == {(False, True)}


def test_where_fewer_tokens_are_enough_frames_stay_large():
    assert not any(small for small, _ in sizes_under_load(load=1.4))


@pytest.mark.parametrize("load", [1.0, 1.15, 1.3, 1.6, 2.0, 2.5])
@pytest.mark.parametrize(("rest", "tokens"), [(0.06, 0.4), (0.07, 0.3), (0.08, 0.1), (0.095, 0.02)])
def test_under_a_constant_load_sizes_hardly_change_and_steps_are_in_time(load, rest, tokens):
    steps = sizes_under_load(load, rest, tokens, seconds=180.0, after=0.0)[20:]
    changes = sum(one[0] != other[0] for one, other in itertools.pairwise(steps))
    assert changes <= 16  # seven tries in three minutes, ever rarer
    assert sum(in_time for _, in_time in steps) >= 0.95 * len(steps)


@pytest.mark.parametrize(("rest", "noise", "spikes"), [(0.085, 0.07, 0.02), (0.08, 0.07, 0.05), (0.07, 0.15, 0.05)])
def test_steps_of_uneven_length_near_the_limit_hardly_change_sizes(rest, noise, spikes):
    steps = sizes_under_load(1.0, rest, 0.05, seconds=600.0, after=0.0, noise=noise, spikes=spikes)
    assert sum(one[0] != other[0] for one, other in itertools.pairwise(steps)) <= 40
    assert sum(in_time for _, in_time in steps) >= 0.95 * len(steps)


def test_the_frame_in_which_small_ones_are_asked_for_has_no_more_tokens_than_the_one_before():
    """It is encoded already, and large."""
    deadline = Deadline(PruningConfig(target_rate=10.0), 0.5)
    ceilings = []
    while not deadline.small:
        ceilings.append(deadline.update(0.3))
    assert ceilings == sorted(ceilings, reverse=True)
    deadline.resized()
    assert deadline.update(0.0) == 1.0


def test_one_late_step_in_twenty_does_not_keep_frames_small():
    deadline = Deadline(PruningConfig(target_rate=10.0), 0.5)
    while not deadline.small:
        deadline.update(0.3)
    deadline.resized()
    for number in range(WINDOW):
        deadline.update(0.2 if number == 5 else 0.03)
    assert not deadline.small


def test_what_small_frames_cannot_hold_is_told():
    deadline = Deadline(PruningConfig(target_rate=10.0), 0.5)
    told, small = [], False
    while len(told) < 20:
        if small != deadline.small:
            small = deadline.small
            deadline.resized()
        deadline.update(0.5 if small else 1.0)
        told.append((small, deadline.missed))
    assert (False, True) not in told  # small frames may hold it
    assert told[-1] == (True, True)


@pytest.mark.parametrize("uncertain", [True, False])
def test_nothing_goes_above_the_ceiling(uncertain):
    ceilings = [0.15 + number / 100 for number in range(86)]
    ratios = [Budget(CONFIG).update(9.0, 0.1, uncertain, ceiling) for ceiling in ceilings]
    assert all(ratio <= ceiling for ratio, ceiling in zip(ratios, ceilings, strict=True))
    assert ratios == sorted(ratios)


def test_the_largest_step_below_the_ceiling_is_taken():
    ratios = [Budget(CONFIG).update(9.0, 0.1, False, ceiling) for ceiling in (0.36, 0.34, 0.15)]
    assert ratios == pytest.approx([0.353553, 0.252982, 0.15], abs=1e-6)


def test_noise_does_not_lift_a_still_target_off_the_floor():
    assert settled(0.05) == 0.15


def test_no_ratio_lies_outside_the_bounds():
    config = PruningConfig(min_keep_ratio=0.33, max_keep_ratio=0.62)
    ratios = {settled(magnitude / 40, config) for magnitude in range(50)}
    assert min(ratios) == pytest.approx(0.33)
    assert max(ratios) == pytest.approx(0.62)


def test_a_large_target_gets_what_covers_it():
    ratios = [settled(0.0, size=size / 20) for size in range(21)]
    assert ratios == sorted(ratios)
    assert ratios[0] == 0.15
    assert ratios[-1] == 1.0
    # The nearest step may lie below what covers it with `ROOM`.
    assert all(share > 1.1 * size / 20 for size, share in enumerate(ratios[:14]))


def test_a_small_target_in_a_still_scene_stays_at_the_floor():
    assert settled(0.0, size=0.05) == 0.15


def test_a_large_target_gets_more_than_motion_alone_can_give():
    config = PruningConfig(min_keep_ratio=0.15, max_keep_ratio=0.253)
    assert settled(9.0, config, size=0.1) == pytest.approx(0.253)
    assert settled(0.0, config, size=0.3) == pytest.approx(0.5**1.5)
    assert settled(0.0, config, size=0.9) == 1.0
    assert settled(0.0, config, ceiling=0.354, size=0.9) == pytest.approx(0.5**1.5)  # but for the deadline


@pytest.mark.parametrize("high", [0.15, 0.253])
def test_what_a_large_target_got_falls_again(high):
    budget = Budget(PruningConfig(min_keep_ratio=0.15, max_keep_ratio=high, fall_seconds=1.0))
    budget.update(0.0, 0.1, False, size=0.9)
    ratios = [budget.update(0.0, 0.1, False) for _ in range(60)]
    assert ratios == sorted(ratios, reverse=True)
    assert 0.6 <= ratios[1] < 1.0
    assert ratios[-1] == 0.15
