"""What the node does while its models are loaded."""

import threading

import pytest
from lifecycle_msgs.msg import Transition
from lifecycle_msgs.srv import ChangeState

from .fakes import CentreTracker
from .manager import NAMES


class Loading:
    """A `make_tracker` that takes until it is released."""

    def __init__(self, tracker):
        self.began, self.released = threading.Event(), threading.Event()
        self._tracker = tracker

    def __call__(self, config):
        self.began.set()
        assert self.released.wait(timeout=20)
        return self._tracker


@pytest.fixture
def loading(managed):
    """A node that is loading its models, its manager, and what releases it."""
    graph, manager = managed()
    slow = graph.make_tracker = Loading(CentreTracker())
    answer = manager.ask("change_state", ChangeState.Request(transition=Transition(id=NAMES["configure"])))
    assert slow.began.wait(timeout=10)
    yield graph, manager, slow.released, answer
    slow.released.set()


def test_loading_is_told_in_status_and_diagnostics(loading):
    graph, *_ = loading
    assert graph.wait_for_status(lambda status: "Loading mini" in status.message).active is False
    graph.wait_for(lambda: any("Loading mini" in each.status[0].message for each in graph.heard["diagnostics"]))


def test_services_answer_while_models_are_loaded(loading):
    _, manager, _, answer = loading
    assert manager.state() == "configuring"
    assert manager.set(max_targets=3).successful
    assert not answer.done()


def test_the_manager_is_answered_when_they_are_loaded(loading):
    graph, manager, released, answer = loading
    released.set()
    graph.wait_for(answer.done)
    assert answer.result().success
    assert manager.state() == "inactive"


def test_a_setting_that_is_changed_while_models_are_loaded_takes_effect(loading):
    graph, manager, released, answer = loading
    assert manager.set(max_targets=3).successful
    released.set()
    graph.wait_for(answer.done)
    assert manager.change("activate")
    graph.wait_for(graph.image.get_subscription_count)
    graph.send_good(1)
    assert graph.node.cameras[""].reports.tracker.config.max_targets == 3


def test_a_description_that_is_given_while_models_are_loaded_waits(loading):
    graph, manager, released, answer = loading
    graph.wait_for(graph.description.get_subscription_count)
    graph.say("plate")
    graph.wait_for_text()
    released.set()
    graph.wait_for(answer.done)
    assert manager.change("activate")
    graph.wait_for_status(lambda status: status.descriptions == ["plate"])


def test_a_transition_that_is_asked_for_meanwhile_comes_after(loading):
    graph, manager, released, _ = loading
    activate = manager.ask("change_state", ChangeState.Request(transition=Transition(id=NAMES["activate"])))
    released.set()
    graph.wait_for(activate.done)
    assert activate.result().success
    assert manager.state() == "active"
