"""The generated messages against the values they carry."""

from __future__ import annotations

import re

import pytest

from fastsam2_ros.results import TrackState

from .project import ROOT

msg = pytest.importorskip("fastsam2_ros.msg", reason="the messages are not built: make setup")


def test_reasons_of_an_ended_goal_differ():
    result = pytest.importorskip("fastsam2_ros.action").Track.Result
    reasons = [name for name in dir(result) if name.isupper() and isinstance(getattr(result, name), int)]
    assert sorted(getattr(result, name) for name in reasons) == list(range(len(reasons)))


@pytest.mark.parametrize("state", TrackState)
def test_states_have_the_numbers_of_the_library(state):
    assert getattr(msg.TrackedObject, state.name) == state.value


def test_every_field_carries_a_comment():
    for path in [*ROOT.glob("msg/*.msg"), *ROOT.glob("action/*.action")]:
        for line in path.read_text().splitlines():
            field = re.match(r"[a-z]\S*\s+\w+", line)
            if field and "objects" not in line:
                assert "#" in line, f"{path.name}: {line}"


def test_counters_hold_more_than_32_bits():
    assert msg.TrackerStatus(received=2**40).received == 2**40
