"""The action over real DDS."""

import threading
from types import SimpleNamespace

import pytest
from action_msgs.msg import GoalStatus
from rclpy.action import ActionClient, CancelResponse
from std_srvs.srv import Trigger

from fastsam2_ros.action import Track
from fastsam2_ros.node import track_action

from .depth_camera import DepthCamera
from .fakes import CentreTracker
from .graph import header
from .manager import Manager, up

Reason = Track.Result


class Planner:
    """A client in the peer of a graph."""

    def __init__(self, graph, action="fastsam2_tracker/track"):
        self.graph = graph
        self.client = graph.in_executor(lambda: ActionClient(graph.peer, Track, action))
        self.feedback, self.goals = [], []
        for camera in graph.node.cameras.values():
            camera.commands.begin = self._noting(camera.commands.begin)

    def send(self, description="cup", **request):
        """The handle of an accepted goal."""
        self.graph.wait_for(self.client.server_is_ready)
        goal = Track.Goal(description=description, **request)
        future = self.client.send_goal_async(goal, feedback_callback=self._keep)
        handle = self.answer(future)
        assert handle.accepted
        return handle

    def result(self, handle):
        """Status and reason of a goal, when it has ended."""
        response = self.answer(handle.get_result_async())
        assert response.result.message
        return response.status, response.result.reason

    def cancel(self, handle):
        """Goals that are being cancelled."""
        return len(self.answer(handle.cancel_goal_async()).goals_canceling)

    def wait_for_feedback(self, condition):
        self.graph.wait_for(lambda: any(condition(each) for each in list(self.feedback)))
        return next(each for each in self.feedback if condition(each))

    def _noting(self, begin):
        def note(goal):
            begin(goal)
            self.goals.append(goal)
            self.graph.notify()

        return note

    def _keep(self, message):
        self.feedback.append(message.feedback)
        self.graph.notify()

    def answer(self, future):
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


def track_a_frame(planner):
    """The status after a frame of a node that is configured and activated only now."""
    manager = Manager(planner.graph)
    up(manager)
    planner.graph.wait_for(planner.graph.image.get_subscription_count)
    return planner.graph.send_good(1)


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


def test_a_goal_that_is_cancelled_before_it_begins_leaves_the_one_at_work(monkeypatch):
    """The goal at work is in its coroutine; the server calls for the other one in the order in which rclpy does."""
    server, goals, ends = SimpleNamespace(), [], []

    def serve(node, kind, name, execute, *, cancel_callback, **_):
        server.execute, server.cancel = execute, cancel_callback

    monkeypatch.setattr(track_action, "ActionServer", serve)
    node = SimpleNamespace(executor=None, get_clock=lambda: SimpleNamespace(now=lambda: SimpleNamespace(nanoseconds=0)))
    track_action.TrackAction(node, "~/track", SimpleNamespace(begin=goals.append), str)
    at_work = server.execute(SimpleNamespace(is_cancel_requested=False, request=Track.Goal(description="cup")))
    at_work.send(None)
    early = SimpleNamespace(is_cancel_requested=True, canceled=lambda: ends.append("canceled"))
    assert server.cancel(early) == CancelResponse.ACCEPT
    with pytest.raises(StopIteration) as stopped:
        server.execute(early).send(None)
    assert (ends, stopped.value.value.reason) == (["canceled"], Reason.CANCELLED)
    assert [goal.reason for goal in goals] == [None]


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


def test_the_same_text_leaves_a_goal_alone_whose_text_still_waits(planner):
    planner = planner(autostart=False)
    handle = planner.send(until_tracking=True)
    planner.graph.say("cup")
    planner.graph.wait_for_text()
    planner.graph.wait_for(lambda: planner.goals)
    track_a_frame(planner)
    assert planner.result(handle)[1] == Reason.FOUND


@pytest.mark.parametrize("description", ["cup", "plate"])
def test_a_goal_that_waits_comes_before_the_description_of_the_configuration(planner, description):
    planner = planner(autostart=False, description=description)
    handle = planner.send(until_tracking=True)
    planner.graph.wait_for(lambda: planner.goals)
    assert track_a_frame(planner).descriptions == ["cup"]
    assert planner.result(handle)[1] == Reason.FOUND


def test_a_text_that_is_refused_leaves_a_goal_alone(planner):
    planner = planner()
    handle = planner.send(until_tracking=True)
    looks_for(planner, "cup")
    planner.graph.say("x" * 2000)
    planner.graph.wait_for_status(lambda status: "1000" in status.message)
    planner.graph.send_good(1)
    assert planner.result(handle)[1] == Reason.FOUND


@pytest.mark.parametrize("reason", [Reason.LOST, Reason.NOT_FOUND])
def test_a_text_that_comes_when_a_goal_is_given_up_is_looked_for(planner, reason):
    planner = planner()
    handle = planner.send()
    looks_for(planner, "cup")
    node = planner.graph.node

    def end_and_say():
        timer.cancel()
        planner.goals[-1].end(reason, "x")
        node.cameras[""].look_for("plate")

    timer = node.create_timer(0.001, end_and_say)
    planner.graph.executor.wake()
    planner.result(handle)
    assert planner.graph.send_good(1).descriptions == ["plate"]


def test_a_goal_that_is_given_up_while_another_text_waits_leaves_that_text(planner):
    gate, entered = threading.Event(), threading.Event()
    planner = planner(CentreTracker(before_step=lambda: (entered.set(), gate.wait(30))))
    handle = planner.send()
    looks_for(planner, "cup")
    planner.graph.send(1)
    assert entered.wait(30)
    planner.graph.say("plate")
    planner.graph.wait_for_text()
    planner.cancel(handle)
    planner.result(handle)
    gate.set()
    assert planner.graph.send_good(2).descriptions == ["plate"]


@pytest.mark.parametrize("patience", [-1.0, float("nan"), float("inf")])
def test_a_patience_that_is_no_time_is_refused_and_leaves_the_goal_at_work(planner, patience):
    planner = planner()
    planner.send("cup")
    looks_for(planner, "cup")
    assert planner.result(planner.send(patience=patience)) == (GoalStatus.STATUS_ABORTED, Reason.REFUSED)
    assert planner.goals[-1].reason is None


def test_every_goal_of_a_burst_is_answered(planner, busy_in_reset):
    """More than the ten that wait by ROS's own default, while the node is busy."""
    planner = planner()
    reset = Manager(planner.graph).ask("reset", Trigger.Request())
    assert busy_in_reset.begun.wait(10)
    planner.graph.wait_for(planner.client.server_is_ready)
    goals = [planner.client.send_goal_async(Track.Goal(description="cup")) for _ in range(30)]
    busy_in_reset.free.set()
    planner.graph.wait_for(reset.done)
    assert all(planner.answer(goal).accepted for goal in goals)


def test_a_reset_ends_a_goal(planner):
    planner = planner()
    handle = planner.send()
    looks_for(planner, "cup")
    reset = planner.graph.peer.create_client(Trigger, "fastsam2_tracker/reset")
    planner.graph.wait_for(reset.service_is_ready)
    planner.answer(reset.call_async(Trigger.Request()))
    assert planner.result(handle) == (GoalStatus.STATUS_ABORTED, Reason.RESET)


@pytest.mark.parametrize("transition", ["deactivate", "shutdown"])
def test_a_node_that_stops_ends_a_goal(planner, transition):
    planner = planner()
    handle = planner.send()
    looks_for(planner, "cup")
    assert Manager(planner.graph).change(transition)
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
