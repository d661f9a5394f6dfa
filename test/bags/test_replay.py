import argparse
from pathlib import Path

import pytest

from fastsam2_ros.bags.read import Bag
from fastsam2_ros.bags.replay import Report, rate_for, remapping, replay
from fastsam2_ros.errors import BagError


def test_the_rate_for_a_frequency_is_by_the_bags_mean(make_bag) -> None:
    with Bag(make_bag(count=11)) as bag:
        assert rate_for(bag, 30) == pytest.approx(3.0)


@pytest.mark.parametrize("count", [0, 1])
def test_a_frequency_needs_two_images(make_bag, count: int) -> None:
    with Bag(make_bag(count=count)) as bag, pytest.raises(BagError, match="--hz needs"):
        rate_for(bag, 30)


def test_a_topic_that_the_bag_lacks_is_named(make_bag) -> None:
    with Bag(make_bag()) as bag, pytest.raises(BagError, match="no topic /depth; it has /camera/image"):
        replay(bag, topics=["/depth"])


@pytest.mark.parametrize("seconds", [-1.0, 1e9, float("nan")])
def test_a_start_outside_the_bag_is_refused(make_bag, seconds: float) -> None:
    with Bag(make_bag()) as bag, pytest.raises(BagError, match="The start is"):
        replay(bag, start_seconds=seconds)


def test_a_remapping_has_two_names() -> None:
    assert remapping("/a/b:=c") == ("/a/b", "c")


@pytest.mark.parametrize("text", ["", "/a", ":=", "/a:=", ":=/b"])
def test_what_is_no_remapping_is_refused(text: str) -> None:
    with pytest.raises(argparse.ArgumentTypeError, match="no remapping"):
        remapping(text)


def test_an_empty_report_can_be_printed(tmp_path: Path) -> None:
    assert str(Report({})).startswith("sent 0 messages")
