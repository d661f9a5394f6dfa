"""Transitions, and what the node does in each state."""

import gc
import threading
import weakref

import pytest
from lifecycle_msgs.msg import State
from lifecycle_msgs.srv import GetState
from std_srvs.srv import Trigger

from fastsam2_ros.config import TrackerConfig
from fastsam2_ros.errors import ModelError

from .fakes import CentreTracker
from .manager import NAMES, Manager, up


def test_nothing_is_loaded_before_the_manager_says_so(managed):
    graph, manager = managed()
    assert manager.state() == "unconfigured"
    assert graph.node.cameras[""].reports.tracker is None


@pytest.mark.parametrize(
    ("transitions", "state"),
    [
        (["configure"], "inactive"),
        (["configure", "activate"], "active"),
        (["configure", "activate", "deactivate"], "inactive"),
        (["configure", "cleanup"], "unconfigured"),
        (["configure", "activate", "deactivate", "cleanup"], "unconfigured"),
        (["configure", "activate", "deactivate", "activate"], "active"),
        (["configure", "cleanup", "configure", "activate"], "active"),
        (["shutdown"], "finalized"),
        (["configure", "shutdown"], "finalized"),
        (["configure", "activate", "shutdown"], "finalized"),
    ],
    ids=",".join,
)
def test_transitions_lead_to_their_states(managed, transitions, state):
    _, manager = managed()
    for each in transitions:
        assert manager.change(each)
    assert manager.state() == state


@pytest.mark.parametrize(
    ("transitions", "wrong", "state"),
    [
        ([], "activate", "unconfigured"),
        ([], "deactivate", "unconfigured"),
        ([], "cleanup", "unconfigured"),
        (["configure"], "configure", "inactive"),
        (["configure"], "deactivate", "inactive"),
        (["configure", "activate"], "activate", "active"),
        (["configure", "activate"], "cleanup", "active"),
    ],
)
def test_a_transition_out_of_order_is_refused_and_changes_nothing(managed, transitions, wrong, state):
    _, manager = managed()
    for each in transitions:
        assert manager.change(each)
    assert not manager.change(wrong)
    assert manager.state() == state


AFTER = {
    ("unconfigured", "configure"): "inactive",
    ("inactive", "activate"): "active",
    ("inactive", "cleanup"): "unconfigured",
    ("active", "deactivate"): "inactive",
}
"""The state that a transition leads to; every other one is refused."""


def orders(length):
    """All orders of so many transitions, each starting with the end of the one before (a de Bruijn sequence)."""
    names, walk, seen = list(NAMES), ["configure"] * length, {("configure",) * length}
    while following := next((each for each in reversed(names) if (*walk[1 - length :], each) not in seen), None):
        seen.add((*walk[1 - length :], following))
        walk.append(following)
    assert len(seen) == len(names) ** length
    return walk


def test_transitions_in_every_order_lead_to_the_state_that_they_should(managed):
    """Every order of three, while images and texts come; and after that, the node tracks as ever."""
    graph, manager = managed()
    state = "unconfigured"
    for number, transition in enumerate(orders(3)):
        graph.send(number + 1)
        graph.say(f"thing {number}")
        assert manager.change(transition) is ((state, transition) in AFTER), (number, state, transition)
        state = AFTER.get((state, transition), state)
        assert manager.state() == state
    for transition in {"unconfigured": ["configure", "activate"], "inactive": ["activate"], "active": []}[state]:
        assert manager.change(transition)
    graph.wait_for(graph.image.get_subscription_count)
    graph.say("cup")
    graph.wait_for_status(lambda status: status.descriptions == ["cup"])
    assert graph.send_good(1000).descriptions == ["cup"]


@pytest.mark.parametrize("wrong", list(NAMES))
def test_nothing_follows_a_shutdown(managed, wrong):
    _, manager = managed()
    assert manager.change("shutdown")
    assert not manager.change(wrong)
    assert manager.state() == "finalized"


def test_an_active_node_tracks(managed):
    graph, manager = managed(description="cup")
    up(manager)
    graph.wait_for(graph.image.get_subscription_count)
    assert graph.send_good(1).descriptions == ["cup"]


def test_an_inactive_node_subscribes_to_no_images(managed):
    graph, manager = managed()
    up(manager)
    graph.wait_for(graph.image.get_subscription_count)
    assert manager.change("deactivate")
    graph.wait_for(lambda: not graph.image.get_subscription_count())
    assert graph.heard["status"][-1].active is False


def test_targets_outlive_an_inactive_time(managed):
    graph, manager = managed(description="cup")
    up(manager)
    graph.wait_for(graph.image.get_subscription_count)
    graph.send_good(1)
    assert manager.change("deactivate")
    graph.wait_for(lambda: not graph.image.get_subscription_count())
    assert manager.change("activate")
    graph.wait_for(graph.image.get_subscription_count)
    assert graph.send_good(2).descriptions == ["cup"]


def test_a_command_of_an_inactive_time_waits(managed):
    graph, manager = managed()
    assert manager.change("configure")
    graph.wait_for(graph.description.get_subscription_count)
    graph.say("plate")
    graph.wait_for_text()
    assert manager.change("activate")
    graph.wait_for_status(lambda status: status.descriptions == ["plate"])


def test_cleanup_lets_go_of_the_tracker(managed):
    made = []

    def make(config):
        tracker = CentreTracker()
        made.append(weakref.ref(tracker))
        return tracker

    graph, manager = managed()
    graph.make_tracker = make
    up(manager)
    assert manager.change("deactivate")
    assert manager.change("cleanup")
    gc.collect()
    assert made[0]() is None


def test_models_that_cannot_be_had_leave_it_unconfigured_with_the_reason(managed):
    graph, manager = managed()

    def fail(config):
        raise ModelError("There is no checkpoint.")

    graph.make_tracker = fail
    assert not manager.change("configure")
    assert manager.state() == "unconfigured"
    graph.wait_for_status(lambda status: status.message == "There is no checkpoint.")


def test_a_node_whose_models_could_not_be_had_can_be_configured_again(managed):
    graph, manager = managed()
    good = graph.make_tracker
    graph.make_tracker = lambda config: 1 / 0
    assert not manager.change("configure")
    graph.make_tracker = good
    assert manager.change("configure")


def test_a_transition_that_fails_is_told_with_its_place_and_can_be_tried_again(managed, monkeypatch):
    graph, manager = managed()
    assert manager.change("configure")
    with monkeypatch.context() as patch:
        patch.setattr(graph.node, "create_subscription", lambda *_, **__: 1 / 0)
        assert not manager.change("activate")
    assert manager.state() == "unconfigured"
    graph.wait_for(lambda: any("Traceback" in line and "ZeroDivisionError" in line for line in graph.log()))
    up(manager)


def test_the_model_can_be_changed_between_cleanup_and_configure(managed):
    graph, manager = managed()
    configs = []
    good = graph.make_tracker
    graph.make_tracker = lambda config: configs.append(config) or good(config)
    assert manager.change("configure")
    refused = manager.set(**{"model.name": "tiny"})
    assert not refused.successful
    assert "cleanup" in refused.reason
    assert manager.change("cleanup")
    assert manager.set(**{"model.name": "tiny"}).successful
    assert manager.change("configure")
    assert [config.model.name for config in configs] == ["mini", "tiny"]


def test_a_description_that_is_given_before_comes_before_that_of_the_configuration(managed):
    graph, manager = managed(description="cup")
    graph.wait_for(graph.description.get_subscription_count)
    graph.say("plate")
    graph.wait_for_text()
    up(manager)
    graph.wait_for(graph.image.get_subscription_count)
    assert graph.send_good(1).descriptions == ["plate"]


def test_parameters_change_between_frames_while_tracking(graph):
    tracker = CentreTracker()
    graph = graph(tracker, subscribe=("status",), description="cup")
    manager = Manager(graph)
    for count in range(1, 31):
        assert manager.set(**{"pruning.max_keep_ratio": 0.4 + count / 100, "lost_seconds": count}).successful
        graph.send_good(count)
        assert tracker.config.lost_seconds == count
    assert len(tracker.threads) == 1


def test_parameters_change_while_images_flood_in(graph):
    """No image is lost from the counts, no change is lost, and each one is whole."""
    tracker, pairs = CentreTracker(), []
    tracker.before_step = lambda: pairs.append((tracker.config.lost_seconds, tracker.config.search_seconds))
    graph = graph(tracker, subscribe=("status",), description="cup")
    manager, done = Manager(graph), threading.Event()

    def flood():
        for stamp in range(1, 100_000):
            graph.send(stamp)
            if done.wait(timeout=0.001):
                return

    camera = threading.Thread(target=flood)
    camera.start()
    for count in range(1, 51):
        assert manager.set(lost_seconds=count, search_seconds=count).successful
        assert not manager.set(lost_seconds=count + 0.5, search_seconds=-1).successful
    done.set()
    camera.join()
    graph.send_good(200_000)
    defaults = (TrackerConfig().lost_seconds, TrackerConfig().search_seconds)
    assert [pair for pair in pairs if pair != defaults and pair[0] != pair[1]] == []
    assert pairs[-1] == (50.0, 50.0)
    status = graph.heard["status"][-1]
    assert status.received == status.processed + status.dropped


def test_a_parameter_out_of_range_is_refused_and_nothing_changes(graph):
    tracker = CentreTracker()
    graph = graph(tracker, subscribe=("status",))
    refused = Manager(graph).set(**{"pruning.keep_ratio": 1.5})
    assert not refused.successful
    assert "pruning.keep_ratio" in refused.reason


def test_reset_forgets_targets_and_waiting_commands(graph):
    tracker = CentreTracker()
    graph = graph(tracker, subscribe=("status", "tracks"), description="cup")
    graph.send_good(1)
    answer = Manager(graph).call("reset", Trigger.Request())
    assert answer.success
    graph.wait_for_status(lambda status: not status.descriptions and status.processed == 1)
    assert graph.send_good(2).descriptions == []


def test_every_call_of_a_burst_of_resets_is_answered(graph, busy_in_reset):
    """More than the ten that wait by ROS's own default, while the node is busy."""
    graph = graph(CentreTracker())
    manager = Manager(graph)
    answers = [manager.ask("reset", Trigger.Request())]
    assert busy_in_reset.begun.wait(10)
    answers += [manager.ask("reset", Trigger.Request()) for _ in range(50)]
    busy_in_reset.free.set()
    graph.wait_for(lambda: all(answer.done() for answer in answers))


def test_the_state_is_shown_to_all_by_its_number(managed):
    _, manager = managed()
    up(manager)
    state = manager.call("get_state", GetState.Request()).current_state
    assert state.id == State.PRIMARY_STATE_ACTIVE


def test_what_failed_before_hides_no_later_state(managed):
    tracker = CentreTracker()
    graph, manager = managed(tracker)
    up(manager)
    tracker.before_step = lambda: 1 / 0
    graph.send(1)
    graph.wait_for_status(lambda status: "ZeroDivisionError" in status.message)
    tracker.before_step = lambda: None
    told = {
        "deactivate": "Inactive",
        "cleanup": "Waiting to be configured",
        "configure": "is loaded",
        "activate": "Waiting for images",
    }
    for transition, text in told.items():
        del graph.heard["status"][:]
        assert manager.change(transition)
        graph.wait_for_status(lambda status, text=text: text in status.message)
