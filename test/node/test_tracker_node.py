import array
import threading

import cv2
import numpy as np
import pytest
import rclpy
from diagnostic_msgs.msg import DiagnosticStatus
from rclpy.node import Node
from rclpy.parameter import Parameter
from sensor_msgs.msg import CompressedImage, Image, RegionOfInterest

from fastsam2_ros.node import frames, queues
from fastsam2_ros.node.rates import RateMeter
from fastsam2_ros.node.tracker_node import TrackerNode

from .fakes import CentreTracker
from .graph import header


def test_every_output_has_the_header_of_its_image(graph):
    graph = graph(CentreTracker(), description="cup")
    graph.send_good(1234)
    outputs = ("mask", "labels", "tracks", "overlay", "tokens")
    graph.wait_for(lambda: all(graph.heard[name] for name in outputs))
    assert [graph.heard[name][0].header for name in outputs] == [header(1234)] * 5


def test_images_are_as_large_as_the_source(graph):
    graph = graph(CentreTracker(), description="cup")
    graph.send_good(1, size=(30, 40))
    images = ("mask", "labels", "overlay", "tokens")
    graph.wait_for(lambda: all(graph.heard[name] for name in images))
    assert {(graph.heard[name][0].height, graph.heard[name][0].width) for name in images} == {(30, 40)}


def test_a_frame_has_its_results_once(graph):
    graph = graph(CentreTracker(), description="cup")
    for stamp in (1, 2, 3):
        graph.send_good(stamp)
    graph.wait_for(lambda: len(graph.heard["mask"]) >= 3)
    assert [message.header.stamp.nanosec // 1_000_000 for message in graph.heard["mask"]] == [1, 2, 3]


def test_a_late_subscriber_learns_what_the_node_waits_for(graph):
    status = graph(CentreTracker()).wait_for_status(lambda status: status.active)
    assert "/image" in status.message
    assert "/target_description" in status.message


def test_nothing_is_wrong_once_images_are_tracked(graph):
    assert graph(CentreTracker(), description="cup").send_good(1).message == ""


def test_a_description_is_a_target_from_the_next_image_on(graph):
    graph = graph(CentreTracker())
    graph.say("red mug; plate")
    graph.wait_for_status(lambda status: status.descriptions == ["red mug", "plate"])
    graph.send_good(1)
    graph.wait_for(lambda: graph.heard["tracks"])
    assert [track.description for track in graph.heard["tracks"][0].objects] == ["red mug", "plate"]


def test_an_example_is_looked_for(graph):
    graph = graph(CentreTracker())
    graph.example.publish(Image(height=2, width=3, encoding="mono8", step=3, data=bytes(6)))
    graph.wait_for_status(lambda status: status.descriptions == ["thing of 3 x 2 pixels"])


def test_an_example_that_is_no_image_is_a_problem_of_the_target(graph):
    graph = graph(CentreTracker())
    graph.example.publish(Image(height=2, width=3, encoding="mono8", step=3, data=b""))
    graph.wait_for_status(lambda status: "bytes" in status.message)


def test_the_status_says_why_a_target_is_in_its_state(graph):
    status = graph(CentreTracker(), description="cup").send_good(1)
    assert list(status.reasons) == ["seen with a score of 0.75"]


@pytest.mark.parametrize("text", ["", "  \n\t "])
def test_a_blank_description_ends_the_search(graph, text):
    graph = graph(CentreTracker(), description="cup")
    graph.wait_for_status(lambda status: status.descriptions == ["cup"])
    graph.say(text)
    graph.wait_for_status(lambda status: not status.descriptions and graph.heard["status"][-1] is status)


def test_text_of_any_script_arrives_as_it_is(graph):
    graph = graph(CentreTracker())
    graph.say("rote Tasse mit ä, 赤いカップ ☕")
    graph.wait_for_status(lambda status: status.descriptions == ["rote Tasse mit ä, 赤いカップ ☕"])


def test_a_box_is_handed_on(graph):
    tracker = CentreTracker()
    graph = graph(tracker)
    graph.box.publish(RegionOfInterest(x_offset=5, y_offset=6, width=7, height=8))
    graph.wait_for(lambda: any("(5, 6)" in line for line in graph.log(level=20)))
    assert tracker.box == (5.0, 6.0, 7.0, 8.0)


def test_the_overlay_is_not_drawn_while_nobody_looks(graph, monkeypatch):
    drawn = []
    monkeypatch.setattr("fastsam2_ros.node.publishers.draw", lambda frame, result: drawn.append(1) or frame)
    graph(CentreTracker(), subscribe=("status",), description="cup").send_good(1)
    assert drawn == []


@pytest.mark.parametrize("subscribe", [("status",), ("status", "tokens")], ids=["nobody", "somebody"])
def test_tokens_are_asked_for_while_somebody_looks(graph, subscribe):
    tracker = CentreTracker()
    graph(tracker, subscribe=subscribe, description="cup").send_good(1)
    assert tracker.views == ["tokens" in subscribe]


def test_the_picture_of_tokens_shows_which_are_kept(graph):
    graph = graph(CentreTracker())
    graph.send_good(1, size=(64, 64))
    graph.wait_for(lambda: graph.heard["tokens"])
    (message,) = graph.heard["tokens"]
    cells = np.array(message.data, np.uint8).reshape(16, 4, 16, 4, 3)[:, 2, :, 2].sum(2)
    rows = slice(5, 16)  # below what tells that the weights are random
    assert message.encoding == "rgb8"
    assert (cells.argmax(1) == range(16))[rows].all()


def test_the_tracker_runs_beside_the_executor(graph):
    released = threading.Event()
    graph = graph(CentreTracker(before_step=lambda: released.wait(10)))
    graph.send(1)
    seen = len(graph.heard["diagnostics"])
    graph.wait_for(lambda: len(graph.heard["diagnostics"]) > seen)  # The timer runs on during the step.
    released.set()
    graph.wait_for_status(lambda status: status.processed == 1)


def test_compressed_images_are_taken_when_asked_for(graph):
    tracker = CentreTracker()
    graph = graph(tracker, image_transport="compressed")
    graph.image.publish(jpeg(np.zeros((48, 64, 3), np.uint8)))
    graph.wait_for_status(lambda status: status.processed == 1)
    assert tracker.steps[0][0] == (48, 64, 3)


def test_the_compressed_mask_is_the_mask(graph):
    graph = graph(CentreTracker(), subscribe=("mask", "mask/compressed", "status"), description="cup")
    graph.send_good(7)
    graph.wait_for(lambda: graph.heard["mask"] and graph.heard["mask/compressed"])
    (mask,), (compressed,) = graph.heard["mask"], graph.heard["mask/compressed"]
    pixels = cv2.imdecode(np.array(compressed.data, np.uint8), cv2.IMREAD_UNCHANGED)
    assert pixels.ravel().tolist() == list(mask.data)
    assert (compressed.header, compressed.format.startswith("mono8; png")) == (header(7), True)


@pytest.mark.parametrize(
    ("rules", "topic"),
    [
        ([], "/image/compressed"),
        (["image:=/camera/color"], "/camera/color/compressed"),
        (["image:=/camera/color", "image/compressed:=/other"], "/other"),
    ],
)
def test_the_compressed_topic_is_named_after_the_image_topic(context, rules, topic):
    remappings = [word for rule in rules for word in ("-r", rule)]
    node = TrackerNode(
        lambda config: CentreTracker(),
        context=context,
        cli_args=["--ros-args", *remappings],
        parameter_overrides=[Parameter("image_transport", value="compressed")],
    )
    assert node.cameras[""].topic == topic
    node.destroy_node()


def test_images_are_decoded_beside_the_executor(graph, monkeypatch):
    """A 720p JPEG takes longer than a callback may."""
    tracker, decode, threads = CentreTracker(), frames.decode, set()
    monkeypatch.setattr(frames, "decode", lambda *args: threads.add(threading.get_ident()) or decode(*args))
    graph = graph(tracker, subscribe=("status",), image_transport="compressed")
    message = jpeg(np.zeros((48, 64, 3), np.uint8))
    message.header = header(1)
    graph.image.publish(message)
    graph.wait_for_status(lambda status: status.processed == 1)
    assert threads == tracker.threads


def test_diagnostics_name_the_node_and_its_state(graph):
    graph = graph(CentreTracker(), description="cup")
    graph.send_good(1)
    seen = len(graph.heard["diagnostics"])
    graph.wait_for(lambda: len(graph.heard["diagnostics"]) > seen)
    (entry,) = graph.heard["diagnostics"][-1].status
    assert (entry.name, entry.message) == ("/fastsam2_tracker: tracker", "TRACKING")


def test_a_camera_that_is_seen_but_not_heard_is_reported_with_the_cure(graph):
    graph = graph(CentreTracker(), subscribe=("status",))
    graph.wait_for(lambda: any("config/fastdds.xml" in line for line in graph.log()))
    graph.wait_for_diagnostics(lambda entry: "config/fastdds.xml" in entry.message)


def test_a_camera_that_ends_is_an_error_with_the_time_since(graph):
    graph = graph(CentreTracker(), subscribe=("status",), description="cup")
    graph.send_good(1)
    graph.send_good(2)
    graph.peer.destroy_publisher(graph.image)
    entry = graph.wait_for_diagnostics(lambda entry: "publisher has gone" in entry.message)
    values = {value.key: value.value for value in entry.values}
    assert entry.level == DiagnosticStatus.ERROR
    assert int(values["last image (s ago)"]) >= 3


def test_a_camera_that_starts_again_is_well_again(graph):
    graph = graph(CentreTracker(), subscribe=("status",), description="cup")
    graph.send_good(1)
    graph.send_good(2)
    graph.peer.destroy_publisher(graph.image)
    graph.wait_for_diagnostics(lambda entry: "publisher has gone" in entry.message)
    graph.image = graph.peer.create_publisher(Image, "image", 10)
    graph.wait_for(graph.image.get_subscription_count)
    seen = len(graph.heard["diagnostics"])
    graph.send_good(3)
    graph.wait_for(
        lambda: any(entry.status[0].level == DiagnosticStatus.OK for entry in graph.heard["diagnostics"][seen:])
    )


def test_two_nodes_in_namespaces_do_not_disturb_each_other(context, graph):
    """What is published for one is neither tracked nor answered by the other."""
    here = graph(CentreTracker(), namespace="/here")
    there = graph(CentreTracker(), namespace="/there")
    here.say("cup")
    there.say("plate")
    here.wait_for_status(lambda status: status.descriptions == ["cup"])
    there.wait_for_status(lambda status: status.descriptions == ["plate"])
    here.send_good(1)
    here.send_good(2)
    there.send_good(3)
    here.wait_for(lambda: len(here.heard["tracks"]) == 2)
    there.wait_for(lambda: there.heard["tracks"])
    said = [[track.description for track in each.objects] for made in (here, there) for each in made.heard["tracks"]]
    assert said == [["cup"], ["cup"], ["plate"]]
    assert [made.heard["status"][-1].received for made in (here, there)] == [2, 1]


def test_rates_fall_to_zero_when_no_images_come(graph, monkeypatch):
    monkeypatch.setattr(queues, "RateMeter", lambda: RateMeter(window=0.5))
    graph = graph(CentreTracker(), subscribe=("status",), description="cup")
    graph.send_good(1)
    graph.send_good(2)

    def is_zero(entry):
        values = {value.key: value.value for value in entry.values}
        return values["received"] == "2" and values["input rate (Hz)"] == values["output rate (Hz)"] == "0.0"

    graph.wait_for_diagnostics(is_zero)


def test_a_publisher_of_another_type_is_told(graph, domain):
    graph = graph(CentreTracker(), subscribe=("status",))
    graph.peer.destroy_publisher(graph.image)
    elsewhere = rclpy.Context()  # One participant cannot have two types on a topic.
    rclpy.init(context=elsewhere, domain_id=domain)
    camera = Node("camera", context=elsewhere)
    camera.create_publisher(CompressedImage, "image", 1)
    told = "published as sensor_msgs/msg/CompressedImage"
    entry = graph.wait_for_diagnostics(lambda entry: told in entry.message)
    assert entry.level == DiagnosticStatus.ERROR
    camera.destroy_node()
    rclpy.try_shutdown(context=elsewhere)


def test_a_reliable_camera_is_taken_by_either(graph):
    assert graph(CentreTracker(), image_reliability="reliable").send_good(1).processed == 1


def test_simulated_time_that_does_not_run_is_told_and_diagnostics_come_all_the_same(graph):
    graph = graph(CentreTracker(), subscribe=("status",), use_sim_time=True)
    graph.wait_for_diagnostics(
        lambda entry: any(value.key == "problem (clock)" and "/clock" in value.value for value in entry.values)
    )


def jpeg(pixels):
    data = cv2.imencode(".jpg", pixels)[1]
    return CompressedImage(format="jpeg", data=array.array("B", data.tobytes()))
