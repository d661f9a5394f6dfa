"""What is wrong with a message is told by name, and the node goes on with the next."""

import array

import pytest
from sensor_msgs.msg import RegionOfInterest

from .fakes import CentreTracker

BAD_IMAGES = {
    "zero size": ({"height": 0, "width": 0}, "empty"),
    "zero width": ({"width": 0}, "empty"),
    "truncated": ({"data": array.array("B", bytes(100))}, "truncated"),
    "no data": ({"data": array.array("B")}, "truncated"),
    "step too small": ({"step": 10}, "step"),
    "step zero": ({"step": 0}, "step"),
    "step too large": ({"step": 4096}, "truncated"),
    "unknown encoding": ({"encoding": "rgb9"}, "rgb9"),
    "no encoding": ({"encoding": ""}, "encoding"),
}


@pytest.fixture
def tracker():
    return CentreTracker()


@pytest.mark.parametrize(("fields", "word"), BAD_IMAGES.values(), ids=BAD_IMAGES)
def test_a_bad_image_is_dropped_and_told_and_the_next_is_processed(graph, tracker, fields, word):
    graph = graph(tracker, subscribe=("status", "mask"), description="cup")
    graph.send(1, **fields)
    told = graph.wait_for_status(lambda status: status.dropped == 1)
    after = graph.send_good(2)
    assert word in told.message
    assert (after.message, after.received, after.processed, after.dropped) == ("", 2, 1, 1)
    graph.wait_for(lambda: graph.heard["mask"])
    assert len(graph.heard["mask"]) == 1


def test_an_encoding_is_complained_of_once(graph, tracker):
    graph = graph(tracker, subscribe=("status",))
    encodings = ["rgb9", "rgb10", "rgb9", "rgb10", "rgb9"]
    for count, encoding in enumerate(encodings, start=1):
        graph.send(count, encoding=encoding)
        graph.wait_for_status(lambda status, count=count: status.dropped == count)
    graph.send_good(9)
    graph.say("the last line of the log")
    graph.wait_for(lambda: any("the last line" in line for line in graph.log(level=20)))
    assert [sum(f"'{encoding}'" in line for line in graph.log()) for encoding in ("rgb9", "rgb10")] == [1, 1]


@pytest.mark.parametrize("second", [1000, 500], ids=["stands still", "goes back"])
def test_a_stamp_that_does_not_rise_is_told_and_the_frame_processed(graph, tracker, second):
    graph = graph(tracker, subscribe=("status", "tracks"))
    graph.send_good(1000)
    graph.send(second)
    told = graph.wait_for_status(lambda status: status.processed == 2)
    assert "stamp" in told.message
    assert graph.send_good(2000).message == ""
    graph.wait_for(lambda: len(graph.heard["tracks"]) == 3)
    assert graph.heard["tracks"][1].header.stamp.nanosec == second % 1000 * 1_000_000


def test_the_size_may_change_in_mid_stream(graph, tracker):
    graph = graph(tracker, subscribe=("status", "mask"), description="cup")
    sizes = [(48, 64), (24, 32), (60, 50)]
    for stamp, size in enumerate(sizes, start=1):
        graph.send_good(stamp, size)
    graph.wait_for(lambda: len(graph.heard["mask"]) == 3)
    assert [(mask.height, mask.width) for mask in graph.heard["mask"]] == sizes


@pytest.mark.parametrize("text", ["cup " * 2560, "杯" * 10_000], ids=["10 kB", "10 000 characters"])
def test_a_description_that_is_too_long_changes_nothing(graph, tracker, text):
    graph = graph(tracker, subscribe=("status",), description="cup")
    graph.wait_for_status(lambda status: status.descriptions == ["cup"])
    graph.say(text)
    told = graph.wait_for_status(lambda status: "characters" in status.message)
    assert told.descriptions == ["cup"]
    assert any("characters" in line for line in graph.log())


def test_a_good_description_ends_the_complaint(graph, tracker):
    graph = graph(tracker, subscribe=("status",))
    graph.say("cup " * 2560)
    graph.wait_for_status(lambda status: "characters" in status.message)
    graph.send_good(1)
    graph.say("plate")
    assert graph.wait_for_status(lambda status: status.descriptions == ["plate"]).message == ""


def test_an_empty_box_changes_nothing(graph, tracker):
    graph = graph(tracker, subscribe=("status",), description="cup")
    graph.box.publish(RegionOfInterest())
    graph.wait_for_status(lambda status: "empty" in status.message and "box" in status.message)
    assert graph.send_good(1).descriptions == ["cup"]


def test_a_box_outside_the_image_is_told(graph, tracker):
    graph = graph(tracker, subscribe=("status",), description="cup")
    graph.box.publish(RegionOfInterest(x_offset=1000, y_offset=1000, width=10, height=10))
    graph.wait_for(lambda: any("(1000, 1000)" in line for line in graph.log(level=20)))
    told = graph.send_good(1)
    assert "outside" in told.message
    assert told.descriptions == ["cup"]


def test_a_tracker_that_fails_is_asked_again(graph):
    failures = iter([RuntimeError("CUDA out of memory")] * 2)

    def fail_twice():
        for failure in failures:
            raise failure

    graph = graph(CentreTracker(before_step=fail_twice), subscribe=("status",), description="cup")
    for count in (1, 2):
        graph.send(count)
        graph.wait_for_status(lambda status, count=count: status.dropped == count)
    assert "RuntimeError: CUDA out of memory" in graph.heard["status"][-1].message
    assert graph.send_good(3).message == ""
    assert sum("CUDA out of memory" in line for line in graph.log()) == 1
