"""The action over real DDS."""

import threading

import pytest
from action_msgs.msg import GoalStatus
from rclpy.action import ActionClient
from std_srvs.srv import Trigger

from fastsam2_ros.action import Track

from .depth_camera import DepthCamera
from .fakes import CentreTracker
from .graph import header

Reason = Track.Result


class Planner:
    """A client in the peer of a graph."""

    def __init__(self, graph, action="fastsam2_tracker/track"):
        self.graph = graph
        self.client = ActionClient(graph.peer, Track, action)
        self.feedback = []

    def send(self, description="cup", **request):
        """The handle of an accepted goal."""
        self.graph.wait_for(self.client.server_is_ready)
        goal = Track.Goal(description=description, **request)
        future = self.client.send_goal_async(goal, feedback_callback=self._keep)
        handle = self._result(future)
        assert handle.accepted
        return handle

    def result(self, handle):
        """Status and reason of a goal, when it has ended."""
        response = self._result(handle.get_result_async())
        assert response.result.message
        return response.status, response.result.reason

    def cancel(self, handle):
        """Goals that are being cancelled."""
        return len(self._result(handle.cancel_goal_async()).goals_canceling)

    def wait_for_feedback(self, condition):
        self.graph.wait_for(lambda: any(condition(each) for each in list(self.feedback)))
        return next(each for each in self.feedback if condition(each))

    def _keep(self, message):
        self.feedback.append(message.feedback)
        self.graph._notify()

    def _result(self, future):
        done = threading.Event()
        future.add_done_callback(lambda _: done.set())
        assert done.wait(30)
        return future.result()


@pytest.fixture
def planner(graph):
    planners = []

    def make(tracker=None, **parameters):
        planners.append(Planner(graph(tracker or CentreTracker(), **parameters)))
        return planners[-1]

    yield make
    for made in planners:
        made.client.destroy()


def looks_for(planner, *descriptions):
    planner.graph.wait_for(lambda: planner.graph.heard["status"][-1].descriptions == [*descriptions])


def test_a_goal_is_told_of_every_frame(planner):
    planner = planner()
    planner.send()
    looks_for(planner, "cup")
    planner.graph.send_good(1)
    planner.graph.send_good(2)
    told = planner.wait_for_feedback(lambda each: each.pose.header == header(2))
    assert (told.state, told.id, told.score, told.has_box) == (1, 1, 0.75, True)
    assert (told.box.x_offset, told.box.width) == (16, 32)
    assert not told.has_position


def test_a_goal_is_told_of_the_position(planner):
    planner = planner(use_depth=True)
    camera = DepthCamera(planner.graph)
    planner.send()
    looks_for(planner, "cup")
    camera.calibrate()
    camera.measure(1)
    planner.graph.send_good(1)
    told = planner.wait_for_feedback(lambda each: each.has_position)
    assert told.pose.header == header(1)
    assert told.pose.pose.position.z == 2.0


def test_finding_succeeds_when_the_target_is_tracked_and_goes_on(planner):
    planner = planner()
    handle = planner.send(until_tracking=True)
    looks_for(planner, "cup")
    planner.graph.send_good(1)
    assert planner.result(handle) == (GoalStatus.STATUS_SUCCEEDED, Reason.FOUND)
    assert planner.graph.send_good(2).descriptions == ["cup"]


def test_a_cancelled_goal_ends_the_search(planner):
    planner = planner()
    handle = planner.send()
    looks_for(planner, "cup")
    planner.graph.send_good(1)
    assert planner.cancel(handle) == 1
    assert planner.result(handle) == (GoalStatus.STATUS_CANCELED, Reason.CANCELLED)
    looks_for(planner)


def test_a_goal_that_is_cancelled_without_any_image_ends(planner):
    planner = planner()
    handle = planner.send()
    assert planner.cancel(handle) == 1
    assert planner.result(handle) == (GoalStatus.STATUS_CANCELED, Reason.CANCELLED)


def test_after_a_cancelled_goal_another_is_taken(planner):
    planner = planner()
    first = planner.send()
    planner.cancel(first)
    planner.result(first)
    second = planner.send("plate", until_tracking=True)
    looks_for(planner, "plate")
    planner.graph.send_good(1)
    assert planner.result(second)[1] == Reason.FOUND


def test_a_newer_goal_replaces_the_one_at_work(planner):
    planner = planner()
    first = planner.send("cup")
    second = planner.send("plate", until_tracking=True)
    assert planner.result(first) == (GoalStatus.STATUS_ABORTED, Reason.REPLACED)
    looks_for(planner, "plate")
    planner.graph.send_good(1)
    assert planner.result(second)[1] == Reason.FOUND


@pytest.mark.parametrize(("text", "descriptions"), [("plate", ["plate"]), ("", [])])
def test_another_text_replaces_a_goal(planner, text, descriptions):
    planner = planner()
    handle = planner.send()
    looks_for(planner, "cup")
    planner.graph.say(text)
    assert planner.result(handle) == (GoalStatus.STATUS_ABORTED, Reason.REPLACED)
    looks_for(planner, *descriptions)


def test_the_same_text_leaves_a_goal_alone(planner):
    planner = planner()
    handle = planner.send(until_tracking=True)
    looks_for(planner, "cup")
    planner.graph.say("cup")
    planner.graph.send_good(1)
    assert planner.result(handle)[1] == Reason.FOUND


def test_a_reset_ends_a_goal(planner):
    planner = planner()
    handle = planner.send()
    looks_for(planner, "cup")
    reset = planner.graph.peer.create_client(Trigger, "fastsam2_tracker/reset")
    planner.graph.wait_for(reset.service_is_ready)
    planner._result(reset.call_async(Trigger.Request()))
    assert planner.result(handle) == (GoalStatus.STATUS_ABORTED, Reason.RESET)


@pytest.mark.parametrize("transition", ["trigger_deactivate", "trigger_shutdown"])
def test_a_node_that_stops_ends_a_goal(planner, transition):
    planner = planner()
    handle = planner.send()
    looks_for(planner, "cup")
    node = planner.graph.node
    node._worker.call(getattr(node, transition))
    assert planner.result(handle) == (GoalStatus.STATUS_ABORTED, Reason.STOPPED)


@pytest.mark.parametrize("text", ["", " ; ", "x" * 2000])
def test_a_text_that_cannot_be_looked_for_is_refused_with_the_reason(planner, text):
    planner = planner()
    assert planner.result(planner.send(text)) == (GoalStatus.STATUS_ABORTED, Reason.REFUSED)


def test_patience_ends_where_nothing_is_found(planner):
    """Without an image: time alone is what counts."""
    planner = planner()
    handle = planner.send(patience=0.1)
    assert planner.result(handle) == (GoalStatus.STATUS_ABORTED, Reason.NOT_FOUND)
    looks_for(planner)


def test_patience_ends_where_no_more_images_come(planner):
    planner = planner()
    handle = planner.send(patience=0.5)
    looks_for(planner, "cup")
    planner.graph.send_good(1)
    assert planner.result(handle) == (GoalStatus.STATUS_ABORTED, Reason.LOST)


def test_an_ended_goal_is_not_cancelled(planner):
    planner = planner()
    handle = planner.send(until_tracking=True)
    looks_for(planner, "cup")
    planner.graph.send_good(1)
    planner.result(handle)
    assert planner.cancel(handle) == 0
