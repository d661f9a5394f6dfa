"""Several cameras of one node, over DDS."""

import threading

import pytest
from diagnostic_msgs.msg import DiagnosticStatus
from rclpy.parameter import Parameter
from sensor_msgs.msg import Image, RegionOfInterest
from std_srvs.srv import Trigger

from fastsam2_ros.action import Track
from fastsam2_ros.errors import InputError
from fastsam2_ros.node.tracker_node import TrackerNode

from .depth_camera import DepthCamera
from .fakes import CentreTracker
from .graph import header
from .manager import Manager, up
from .test_track_action import Planner

CAMERAS = ["front", "left"]


@pytest.fixture
def cameras(graph):
    """A node with two cameras."""

    def make(tracker=None, **options):
        options = {"subscribe": ("status", "tracks", "mask"), "cameras": CAMERAS, **options}
        return graph(tracker or CentreTracker(), **options)

    return make


def test_every_camera_has_results_of_its_own_images(cameras):
    graph = cameras(description="cup")
    graph.send_good(1, (30, 40), "front")
    graph.send_good(2, (48, 64), "left")
    graph.wait_for(lambda: graph.heard["front/mask"] and graph.heard["left/mask"])
    assert [(each.header, each.height) for each in graph.heard["front/mask"]] == [(header(1), 30)]
    assert [(each.header, each.height) for each in graph.heard["left/mask"]] == [(header(2), 48)]


def test_a_silent_camera_holds_up_no_other(cameras):
    graph = cameras(description="cup")
    for stamp in range(1, 6):
        graph.send_good(stamp, camera="front")
    assert graph.heard["front/status"][-1].processed == 5
    assert graph.heard["left/status"][-1].received == 0


def test_a_silent_camera_is_told_by_its_name_while_the_other_is_well(cameras):
    graph = cameras(description="cup")
    graph.send_good(1, camera="left")
    graph.wait_for_diagnostics(lambda entry: entry.name.endswith(": front") and entry.level == DiagnosticStatus.ERROR)
    graph.wait_for(lambda: any(line.startswith("front: /front/image") for line in graph.log()))
    graph.send_good(2, camera="left")
    seen = len(graph.heard["diagnostics"])
    graph.wait_for(lambda: len(graph.heard["diagnostics"]) > seen)
    _, left = graph.heard["diagnostics"][-1].status
    assert (left.name, left.level) == ("/fastsam2_tracker: left", DiagnosticStatus.OK)


def test_a_camera_that_starts_again_goes_on(cameras):
    graph = cameras(description="cup")
    graph.send_good(1, camera="front")
    graph.peer.destroy_publisher(graph.images["front"])
    graph.send_good(2, camera="left")
    graph.images["front"] = graph.peer.create_publisher(Image, "front/image", 10)
    graph.wait_for(graph.images["front"].get_subscription_count)
    assert graph.send_good(3, camera="front").descriptions == ["cup"]


def test_one_text_is_for_all(cameras):
    graph = cameras()
    graph.say("red mug; plate")
    for camera in CAMERAS:
        graph.wait_for_status(lambda status: status.descriptions == ["red mug", "plate"], camera)


def test_a_text_with_a_cameras_name_is_for_that_one(cameras):
    graph = cameras(description="cup")
    graph.send_good(1, camera="left")
    graph.say("front: red mug")
    graph.wait_for_status(lambda status: status.descriptions == ["red mug"], "front")
    assert graph.send_good(2, camera="left").descriptions == ["cup"]


def test_the_description_of_the_start_can_name_cameras(cameras):
    graph = cameras(description="front: cup; left: plate")
    graph.wait_for_status(lambda status: status.descriptions == ["cup"], "front")
    graph.wait_for_status(lambda status: status.descriptions == ["plate"], "left")


def test_a_box_is_for_its_camera(cameras):
    graph = cameras()
    graph.boxes["left"].publish(RegionOfInterest(x_offset=5, y_offset=6, width=7, height=8))
    graph.wait_for(lambda: any(line.startswith("left: Tracking what is in the box") for line in graph.log(level=20)))
    assert graph.send_good(1, camera="front").descriptions == []
    assert graph.send_good(1, camera="left").descriptions == ["thing in a box"]


def test_models_are_loaded_once(cameras):
    tracker = CentreTracker()
    graph = cameras(tracker)
    assert len(tracker.siblings) == 1
    assert [each.reports.tracker for each in graph.node.cameras.values()] == [tracker, *tracker.siblings]


def test_frames_that_wait_together_are_encoded_together(cameras):
    entered, released = threading.Event(), threading.Event()
    tracker = CentreTracker(before_step=lambda: (entered.set(), released.wait(10)))
    graph = cameras(tracker, description="cup")
    graph.send(1, camera="front")
    assert entered.wait(10)
    graph.send(2, camera="front")
    graph.send(2, camera="left")
    graph.wait_for(lambda: len(graph.taken["/front/image"]) == 2 and graph.taken["/left/image"])
    released.set()
    for camera in CAMERAS:
        graph.wait_for_status(lambda status: status.header.stamp == header(2).stamp, camera)
    assert tracker.batches == [2]


def test_what_fails_for_one_camera_is_told_of_that_one(cameras):
    graph = cameras(description="cup")
    graph.send(1, camera="front", encoding="x99")
    graph.wait_for_status(lambda status: "x99" in status.message, "front")
    assert graph.send_good(2, camera="left").message == ""
    assert any(line.startswith("front: ") and "x99" in line for line in graph.log())


def test_settings_change_for_all(cameras):
    tracker = CentreTracker()
    graph = cameras(tracker)
    assert Manager(graph).set(lost_seconds=7.0).successful
    for camera in CAMERAS:
        graph.send_good(1, camera=camera)
    assert [each.config.lost_seconds for each in (tracker, *tracker.siblings)] == [7.0, 7.0]


def test_a_reset_is_for_all(cameras):
    graph = cameras(description="cup")
    for camera in CAMERAS:
        graph.send_good(1, camera=camera)
    Manager(graph).call("reset", Trigger.Request())
    for camera in CAMERAS:
        graph.wait_for_status(lambda status: status.processed == 1 and not status.descriptions, camera)


def test_all_cameras_go_through_the_life_cycle(cameras):
    graph = cameras(autostart=False, description="cup")
    manager = Manager(graph)
    up(manager)
    graph.wait_for(lambda: all(image.get_subscription_count() for image in graph.images.values()))
    for camera in CAMERAS:
        assert graph.send_good(1, camera=camera).descriptions == ["cup"]
    assert manager.change("deactivate")
    graph.wait_for(lambda: not any(image.get_subscription_count() for image in graph.images.values()))
    assert manager.change("cleanup")
    assert [each.reports.tracker for each in graph.node.cameras.values()] == [None, None]


def test_compressed_images_are_taken_from_every_camera(cameras):
    graph = cameras(image_transport="compressed")
    assert [each.topic for each in graph.node.cameras.values()] == ["/front/image/compressed", "/left/image/compressed"]


def test_names_that_topics_cannot_have_are_refused(context):
    with pytest.raises(InputError, match="cameras has 'a b'"):
        TrackerNode(
            lambda config: CentreTracker(),
            context=context,
            parameter_overrides=[Parameter("cameras", value=["a b"])],
        )


def test_cameras_stay_while_the_node_runs(cameras):
    refused = Manager(cameras()).set(cameras=["front", "back"])
    assert not refused.successful
    assert "start it again" in refused.reason


def test_an_empty_list_is_the_only_camera(graph):
    made = graph(CentreTracker(), cameras=[""], description="cup")
    assert made.send_good(1).descriptions == ["cup"]


def test_every_camera_has_positions_of_its_own_depth(cameras):
    graph = cameras(description="cup", use_depth=True)
    metres = {"front": 2.0, "left": 3.0}
    views = {name: DepthCamera(graph, name=name) for name in CAMERAS}
    for name, view in views.items():
        view.calibrate()
        view.measure(1, metres[name])
    far = {name: view.tracks(1)[0].position.z for name, view in views.items()}
    assert far == pytest.approx(metres, abs=1e-6)
    for name in CAMERAS:
        graph.wait_for(lambda name=name: graph.heard[f"{name}/target_pose"])
        pose = graph.heard[f"{name}/target_pose"][0].pose
        assert pose.position.z == pytest.approx(metres[name], abs=1e-6)


def test_depth_that_one_camera_lacks_is_told_of_that_one(cameras):
    graph = cameras(description="cup", use_depth=True)
    front = DepthCamera(graph, name="front")
    front.calibrate()
    front.measure(1)
    assert front.tracks(1)[0].has_position
    graph.send_good(1, camera="left")
    graph.wait_for_status(lambda status: "/left/depth" in status.message, "left")
    assert front.status().message == ""


@pytest.fixture
def planners(cameras):
    """A node with two cameras, and a client of each one's action."""
    made = {}

    def make(**options):
        graph = cameras(**options)
        made.update({name: Planner(graph, f"fastsam2_tracker/{name}/track") for name in CAMERAS})
        return graph, made["front"], made["left"]

    yield make
    for planner in made.values():
        planner.client.destroy()


def test_a_goal_is_for_its_camera(planners):
    graph, front, _ = planners(description="plate")
    handle = front.send("cup", until_tracking=True)
    graph.wait_for_status(lambda status: status.descriptions == ["cup"], "front")
    graph.send_good(1, camera="front")
    assert front.result(handle)[1] == Track.Result.FOUND
    assert graph.send_good(1, camera="left").descriptions == ["plate"]


def test_a_text_for_one_camera_leaves_the_goal_of_another(planners):
    graph, front, left = planners()
    replaced, other = front.send("cup"), left.send("cup", until_tracking=True)
    graph.wait_for_status(lambda status: status.descriptions == ["cup"], "front")
    graph.wait_for_status(lambda status: status.descriptions == ["cup"], "left")
    graph.say("front: plate")
    assert front.result(replaced)[1] == Track.Result.REPLACED
    graph.send_good(1, camera="left")
    assert left.result(other)[1] == Track.Result.FOUND


def test_a_text_for_a_camera_that_there_is_not_changes_nothing_and_is_told(cameras):
    graph = cameras(description="cup")
    graph.send_good(1, camera="left")
    graph.say("foo: red mug")
    graph.wait_for_status(lambda status: "foo:" in status.message, "left")
    graph.wait_for(lambda: any("foo:" in line for line in graph.log()))
    assert graph.send_good(2, camera="left").descriptions == ["cup"]


def test_what_was_told_of_a_text_is_well_with_the_next(cameras):
    graph = cameras()
    graph.say("foo: red mug")
    graph.wait_for_status(lambda status: "foo:" in status.message, "left")
    graph.say("front: cup")
    graph.wait_for_status(lambda status: status.descriptions == ["cup"], "front")
    assert graph.send_good(1, camera="left").message == ""


def test_what_was_told_of_a_text_outlasts_the_next_transition(cameras):
    graph = cameras(autostart=False)
    manager = Manager(graph)
    graph.say("foo: red mug")
    graph.wait_for_text()
    up(manager)
    assert graph.wait_for_status(lambda status: status.active, "left").message.startswith("'foo:'")


def test_a_description_of_the_start_for_a_camera_that_there_is_not_leaves_the_node_at_work(cameras):
    graph = cameras(description="foo: cup")
    status = graph.send_good(1, camera="front")
    assert (status.descriptions, "foo:" in status.message) == ([], True)


def test_a_goal_may_name_its_own_camera(planners):
    graph, front, _ = planners()
    handle = front.send("front: cup", until_tracking=True)
    graph.wait_for_status(lambda status: status.descriptions == ["cup"], "front")
    graph.send_good(1, camera="front")
    assert front.result(handle)[1] == Track.Result.FOUND


def test_a_goal_that_names_another_camera_is_refused(planners):
    _, front, _ = planners()
    assert front.result(front.send("left: cup"))[1] == Track.Result.REFUSED
