"""What is wrong with a message is told by name, and the node goes on with the next."""

import array
import threading

import pytest
from sensor_msgs.msg import RegionOfInterest

from fastsam2_ros.node.commands import WAITING_BOXES

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


@pytest.mark.parametrize(
    ("field", "value"),
    [("encoding", "\x1b[31mred"), ("encoding", "\u202egbr"), ("encoding", "x" * 100_000)],
    ids=["escape sequence", "right to left", "100 kB"],
)
def test_text_from_elsewhere_is_escaped_and_shortened_in_log_and_status(graph, tracker, field, value):
    graph = graph(tracker, subscribe=("status",))
    graph.send(1, **{field: value})
    told = graph.wait_for_status(lambda status: status.dropped == 1).message
    graph.wait_for(graph.log)
    for text in (told, *graph.log()):
        assert text.isprintable()
        assert len(text) < 1000


def test_a_text_that_is_repeated_is_logged_once(graph, tracker):
    graph = graph(tracker, subscribe=("status",))
    for index in range(20):
        graph.say("cup")
        graph.send_good(index + 1)
    graph.say("the last line of the log")
    graph.wait_for(lambda: any("the last line" in line for line in graph.log(level=20)))
    assert sum("Looking for: cup" in line for line in graph.log(level=20)) == 1


def test_a_flood_of_descriptions_is_survived_and_the_newest_counts(graph):
    entered, released, accepted = threading.Event(), threading.Event(), []
    tracker = CentreTracker(before_step=lambda: (entered.set(), released.wait(10)))
    set_target = tracker.set_target
    tracker.set_target = lambda text: accepted.append(text) or set_target(text)
    graph = graph(tracker, subscribe=("status",))
    graph.send(1)
    assert entered.wait(10)
    for index in range(2000):
        graph.say("; ".join(f"thing {index} {part}" for part in range(8)))
    graph.wait_for_text()
    graph.say("cup")
    graph.say("cup")
    released.set()
    graph.wait_for_status(lambda status: status.descriptions == ["cup"])
    assert len(accepted) < 20
    assert graph.send_good(2).descriptions == ["cup"]


def test_a_flood_of_boxes_is_bounded_and_told(graph):
    entered, released, boxes = threading.Event(), threading.Event(), []
    tracker = CentreTracker(before_step=lambda: (entered.set(), released.wait(10)))
    tracker.set_box = boxes.append
    graph = graph(tracker, subscribe=("status",))
    graph.send(1)
    assert entered.wait(10)
    for x in range(WAITING_BOXES + 8):
        graph.node.cameras[""].commands.track_box(RegionOfInterest(x_offset=x, width=5, height=5))
    graph.wait_for(lambda: any("boxes wait" in line for line in graph.log()))
    released.set()
    graph.wait_for_status(lambda status: status.processed == 1)
    graph.send_good(2)
    assert [box[0] for box in boxes] == list(range(8, WAITING_BOXES + 8))


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
    graph.wait_for(lambda: any("CUDA out of memory" in line for line in graph.log()))
    (line,) = [line for line in graph.log() if "CUDA out of memory" in line]
    assert "Traceback" in line
