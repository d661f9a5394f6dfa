import pytest

from fastsam2_ros.node.graph_watch import GraphWatch

NAME = "/arm/fastsam2_tracker"


def problems(seen, sim_time=None, seconds=60):
    """By subject, after so many seconds, looked at once a second."""
    watch = GraphWatch(NAME)
    for now in range(1000, 1000 + seconds + 1):
        told = dict(watch.update(seen, sim_time, float(now)))
    return told


@pytest.mark.parametrize("seen", [[], [NAME], [NAME, "/fastsam2_tracker"]])
def test_a_node_that_is_alone_is_no_problem(seen):
    assert problems(seen) == {"name": "", "clock": ""}


def test_a_second_node_of_the_name_is_told_with_the_cure():
    text = problems([NAME, NAME])["name"]
    assert f"2 nodes named {NAME}" in text
    assert "__node:=" in text


def test_a_node_that_was_killed_may_still_be_seen_for_a_while():
    assert problems([NAME, NAME], seconds=29)["name"] == ""


def test_simulated_time_that_has_not_begun_is_told():
    assert "/clock" in problems([NAME], sim_time=0.0, seconds=3)["clock"]


def test_simulated_time_gets_a_moment_to_begin():
    assert problems([NAME], sim_time=0.0, seconds=2)["clock"] == ""


def test_simulated_time_that_runs_is_no_problem():
    assert problems([NAME], sim_time=12.5)["clock"] == ""
