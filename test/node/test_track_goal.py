import numpy as np
import pytest

from fastsam2_ros.action import Track
from fastsam2_ros.node.track_goal import TrackGoal
from fastsam2_ros.results import TrackedObject, TrackState

Reason = Track.Result


class Ended(list):
    def __call__(self, result):
        self.append(result.reason)


@pytest.fixture
def ended():
    return Ended()


@pytest.fixture
def goal(ended):
    def make(**request):
        made = TrackGoal(Track.Goal(**{"description": "cup", **request}), 100.0, ended)
        made.accept(("cup",))
        return made

    return make


def target(state, description="cup", number=1, score=0.5):
    return TrackedObject.of_mask(number, description, state, score, np.ones((2, 2), bool))


def test_the_best_of_its_targets_is_told(goal):
    cups = [
        target(TrackState.LOST, number=1, score=1.0),
        target(TrackState.TRACKING, number=2, score=0.4),
        target(TrackState.TRACKING, number=3, score=0.6),
        target(TrackState.TRACKING, "plate", number=4, score=0.9),
    ]
    assert goal().see(cups, 101.0).id == 3


def test_targets_of_others_are_not_told(goal):
    assert goal().see([target(TrackState.TRACKING, "plate")], 101.0) is None


def test_nothing_is_told_before_the_tracker_knows_it(ended):
    waiting = TrackGoal(Track.Goal(description="cup", until_tracking=True), 100.0, ended)
    assert waiting.see([target(TrackState.TRACKING)], 101.0) is None
    assert ended == []


@pytest.mark.parametrize(("until_tracking", "reasons"), [(True, [Reason.FOUND]), (False, [])])
def test_it_ends_when_tracking_only_where_that_was_asked_for(goal, ended, until_tracking, reasons):
    goal(until_tracking=until_tracking).see([target(TrackState.TRACKING)], 101.0)
    assert ended == reasons


@pytest.mark.parametrize("state", [TrackState.SEARCHING, TrackState.UNCERTAIN, TrackState.LOST])
def test_no_other_state_is_tracking(goal, ended, state):
    goal(until_tracking=True).see([target(state)], 101.0)
    assert ended == []


def test_what_is_never_seen_is_not_found(goal, ended):
    waiting = goal(patience=5.0)
    waiting.see([target(TrackState.SEARCHING)], 104.0)
    waiting.wait(105.0)
    assert ended == []
    waiting.wait(105.1)
    assert ended == [Reason.NOT_FOUND]


@pytest.mark.parametrize("state", [TrackState.TRACKING, TrackState.UNCERTAIN])
def test_what_was_seen_is_lost(goal, ended, state):
    waiting = goal(patience=5.0)
    waiting.see([target(state)], 104.0)
    waiting.see([target(TrackState.LOST)], 108.0)
    waiting.wait(109.0)
    assert ended == []
    waiting.wait(109.1)
    assert ended == [Reason.LOST]


def test_without_patience_it_waits_for_ever(goal, ended):
    goal(patience=0.0).wait(1e9)
    assert ended == []


def test_a_time_that_begins_anew_counts_anew(goal, ended):
    waiting = goal(patience=5.0)
    waiting.wait(1.0)
    waiting.wait(5.9)
    assert ended == []
    waiting.wait(6.1)
    assert ended == [Reason.NOT_FOUND]


def test_it_ends_once(goal, ended):
    waiting = goal()
    waiting.end(Reason.CANCELLED, "")
    waiting.end(Reason.LOST, "")
    assert ended == [Reason.CANCELLED]


def test_a_text_without_a_description_is_refused(goal, ended):
    goal().accept(())
    assert ended == [Reason.REFUSED]
