"""States of one target, and who owns it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from fastsam2_ros.config import PruningConfig, TrackerConfig
from fastsam2_ros.errors import InputError
from fastsam2_ros.look import SAME_LOOK, Look
from fastsam2_ros.pruning.budget import Budget
from fastsam2_ros.pruning.state import LONG_LOST_SECONDS, SETTLING_FRAMES, PruningState
from fastsam2_ros.results import TrackState
from fastsam2_ros.targets import (
    JUST_LOST_SECONDS,
    LOOK_INTERVAL,
    MAX_ID,
    SLOWEST_SEARCH,
    Request,
    Target,
    TargetList,
)

CONFIG = TrackerConfig(pruning=PruningConfig(min_keep_ratio=0.15, max_keep_ratio=1.0, fall_seconds=0.5))
STEP = 0.1
NOTHING = torch.zeros(1, 4, 4)
LOOK = Look(*(torch.zeros(0) for _ in range(5)))


def new(description="mug", by_text=True):
    return Target(description, by_text, searchable=False, pruning=PruningState(Budget(CONFIG.pruning)))


def prompt(target, visible=True, ceiling=1.0, score=0.9):
    trusted = CONFIG.uncertain_score
    target.pruning.prompted(NOTHING, NOTHING, score, 0.0, visible, ceiling, trusted_score=trusted)
    target.memory = object()
    target.found()


@pytest.fixture
def target():
    found = new()
    prompt(found)
    return found


def go(target, frames, visible=True, score=0.9, magnitude=0.0, ceiling=1.0):
    """Keep ratios of the next frames."""
    ratios = []
    for _ in range(frames):
        ratios.append(target.pruning.next_keep_ratio(magnitude, STEP, ceiling))
        target.pruning.observe(
            NOTHING, None, score, 0.0, visible, STEP, trusted_score=CONFIG.uncertain_score, lost_seconds=0.3
        )
        target.observe(STEP, CONFIG)
    return ratios


def test_a_found_target_settles_and_then_falls_to_the_floor(target):
    ratios = go(target, 12)
    assert ratios[:SETTLING_FRAMES] == [1.0] * SETTLING_FRAMES
    assert ratios[SETTLING_FRAMES] < 1
    assert ratios[-1] == 0.15


def test_a_doubtful_find_is_uncertain_until_tracking_confirms_it():
    found = new()
    prompt(found, score=0.4)
    assert found.state == TrackState.UNCERTAIN
    go(found, 1)
    assert found.state == TrackState.TRACKING


def test_a_doubted_target_gets_all(target):
    go(target, 12)
    assert go(target, 3, score=0.1)[1:] == [1.0, 1.0]
    assert target.state == TrackState.UNCERTAIN


def test_a_lost_target_falls_after_a_while_whatever_moves(target):
    go(target, 12)
    unseen = go(target, 30, visible=False, magnitude=9.0)
    held = round(LONG_LOST_SECONDS / STEP)
    assert target.state == TrackState.LOST
    assert unseen[1:held] == [1.0] * (held - 1)
    assert unseen[-1] == 0.15


@pytest.mark.parametrize("frames", [5, 30], ids=["for half a second", "for long"])
def test_a_lost_target_that_is_seen_again_gets_all(target, frames):
    go(target, 12)
    go(target, frames, visible=False)
    assert go(target, 4)[1:3] == [1.0, 1.0]
    assert target.state == TrackState.TRACKING


def test_a_lost_target_that_is_found_by_its_text_gets_all(target):
    go(target, 30, visible=False)
    prompt(target)
    assert target.pruning.keep_ratio == 1.0
    assert go(target, 2) == [1.0, 1.0]


def test_the_deadline_holds_for_a_found_target_too(target):
    prompt(target, ceiling=0.36)
    assert target.pruning.keep_ratio == pytest.approx(0.353, abs=0.001)


def test_searches_in_vain_are_forgotten_once_a_target_is_seen(target):
    target.searched(found=False)
    target.refused = "what was found is tracked already"
    go(target, 1)
    assert (target.failed_searches, target.refused) == (0, "")


def test_a_prompt_in_which_nothing_is_seen_is_doubted(target):
    prompt(target, visible=False)
    assert (target.state, target.pruning.score) == (TrackState.UNCERTAIN, 0.0)


def test_a_target_that_may_not_be_unseen_at_all_settles_too(target):
    ratios = []
    for _ in range(12):
        ratios.append(target.pruning.next_keep_ratio(0.0, STEP))
        target.pruning.observe(NOTHING, None, 0.9, 0.0, True, STEP, trusted_score=0.5, lost_seconds=0.0)
    assert ratios[-1] == 0.15


def test_a_result_has_the_keep_ratio(target):
    go(target, 12)
    assert target.result(np.ones((4, 4), bool), CONFIG).keep_ratio == 0.15


def test_an_empty_mask_is_not_tracking(target):
    assert target.result(np.ones((4, 4), bool), CONFIG).state == TrackState.TRACKING
    assert target.result(np.zeros((4, 4), bool), CONFIG).state == TrackState.UNCERTAIN


# ---- who owns what


def descriptions_of(targets):
    return [target.description for target in targets.targets]


@pytest.fixture
def targets():
    return TargetList(4)


@pytest.mark.parametrize("again", ["Red Box", " red   box", "ＲＥＤ box", "red box"])
def test_descriptions_that_are_equal_name_the_same_target(targets, again):
    targets.name(["red box"], new)
    (before,) = targets.targets
    targets.name([again], new)
    assert targets.targets == [before]
    assert before.description == again


def test_a_text_ends_what_it_does_not_name_again_and_nothing_else(targets):
    given = new("red mug", by_text=False)
    targets.targets.append(given)
    targets.name(["cup", "spoon"], new)
    spoon = targets.targets[2]
    targets.name(["spoon", "red mug"], new)
    assert targets.targets[:2] == [given, spoon]
    assert descriptions_of(targets) == [
        "red mug",
        "spoon",
        "red mug",
    ]  # the one that was given, and the one that is named
    assert targets.targets[2].by_text


def test_a_text_leaves_what_waits(targets):
    targets.ask(Request(box=(0, 0, 5, 5)))
    targets.name(["cup"], new)
    assert len(targets.waiting) == 1


def test_a_blank_text_ends_all(targets):
    targets.targets.append(new("thing", by_text=False))
    targets.ask(Request(box=(0, 0, 5, 5)))
    targets.name([], new)
    assert (targets.targets, targets.waiting) == ([], [])


def test_a_text_with_too_many_beside_what_was_given_changes_nothing(targets):
    targets.targets.append(new("thing", by_text=False))
    targets.ask(Request(box=(0, 0, 5, 5)))
    with pytest.raises(InputError, match=r"names 3 targets, boxes and masks 2, and max_targets is 4"):
        targets.name(["a", "b", "c"], new)
    assert descriptions_of(targets) == ["thing"]


def test_ids_are_drawn_once_and_used_again_last_of_all(targets):
    one, other = new("one"), new("other")
    targets.targets = [one, other]
    targets.number(one)
    targets.number(one)
    assert (one.id, other.id) == (1, 0)
    targets.last_id = MAX_ID - 1
    targets.number(other)
    assert other.id == MAX_ID
    third = new("third")
    targets.targets.append(third)
    targets.number(third)
    assert third.id == 2  # 1 is taken


def test_a_copy_changes_by_itself(targets):
    targets.name(["cup"], new)
    other = targets.copy()
    other.targets[0].state = TrackState.LOST
    other.targets[0].pruning.budget.update(0.0, 1.0, False)
    other.ask(Request(box=(0, 0, 5, 5)))
    other.name(["spoon"], new)
    assert targets.targets[0].state == TrackState.SEARCHING
    assert targets.targets[0].pruning.budget.update(0.0, 0.0, False) == 1.0
    assert (descriptions_of(targets), targets.waiting) == (["cup"], [])


def test_a_text_that_stays_unfound_is_searched_ever_more_rarely_and_never_fails():
    target = Target("unicorn", True, searchable=True, pruning=PruningState(Budget(CONFIG.pruning)))
    for _ in range(2000):
        target.searched(found=False)
    target.since_search = CONFIG.search_interval * SLOWEST_SEARCH
    assert target.to_search(CONFIG)
    target.since_search /= 2
    assert not target.to_search(CONFIG)


def lost(unseen, **known):
    """A target that was last seen so many seconds ago."""
    target = Target("mug", True, searchable=True, pruning=PruningState(Budget(CONFIG.pruning)))
    target.memory, target.state, target.looks = object(), TrackState.SEARCHING, (LOOK,)
    target.pruning.unseen = target.unlike = unseen
    for name, value in known.items():
        setattr(target, name, value)
    return target


@pytest.mark.parametrize(("unseen", "due"), [(JUST_LOST_SECONDS - 0.1, True), (JUST_LOST_SECONDS, False)])
def test_what_was_lost_just_now_is_searched_twice_as_often(unseen, due):
    target = lost(unseen, since_search=CONFIG.search_interval / 2, failed_searches=3)
    assert target.to_search(CONFIG) == due


@pytest.mark.parametrize(
    ("unlike", "since", "due"),
    [
        (CONFIG.search_seconds / 2, 9.0, False),
        (CONFIG.search_seconds, LOOK_INTERVAL, True),
        (CONFIG.search_seconds, LOOK_INTERVAL / 2, False),
        (JUST_LOST_SECONDS, LOOK_INTERVAL, False),
        (JUST_LOST_SECONDS, CONFIG.search_interval, True),
    ],
    ids=["seen a moment ago", "due", "searched just now", "long lost", "long lost and due"],
)
def test_a_target_that_is_not_seen_as_itself_is_searched_by_its_look(unlike, since, due):
    assert lost(unlike, since_look=since).to_search_by_look(CONFIG) == due


def test_a_target_that_is_seen_as_itself_is_not_searched_however_short_the_wait():
    assert not lost(0.0).to_search_by_look(replace(CONFIG, search_seconds=0.0))


def test_without_a_known_look_there_is_no_search_by_it():
    assert not lost(1.0, looks=()).to_search_by_look(CONFIG)


def test_where_masks_are_as_upstreams_nothing_is_searched_by_its_look():
    assert not lost(1.0).to_search_by_look(replace(CONFIG, seen_score=0.0))


@pytest.mark.parametrize(("alike", "seconds"), [(SAME_LOOK, 0.0), (SAME_LOOK - 0.01, 3 * STEP)])
def test_a_mask_that_looks_otherwise_is_doubted_for_as_long(target, alike, seconds):
    target.alike = alike
    go(target, 3)
    assert target.unlike == pytest.approx(seconds)
