"""The bond with a lifecycle manager. bondpy is not on PyPI: a stand-in has what of its interface is used."""

import sys
from types import ModuleType

import pytest

from fastsam2_ros.node.bond import form_bond

from .fakes import CentreTracker
from .manager import Manager, up


class Bond:
    """bondpy.bondpy.Bond: notes what is done with it."""

    def __init__(self, node, topic, id):
        self.topic, self.id, self.done = topic, id, []

    def start(self):
        self.done.append(("start", self.heartbeat_period, self.heartbeat_timeout))

    def shutdown(self):
        self.done.append("shutdown")


@pytest.fixture
def bonds(monkeypatch):
    """Those that are made."""
    made = []
    package, module = ModuleType("bondpy"), ModuleType("bondpy.bondpy")
    module.Bond = lambda *arguments: made.append(Bond(*arguments)) or made[-1]
    monkeypatch.setitem(sys.modules, "bondpy", package)
    monkeypatch.setitem(sys.modules, "bondpy.bondpy", module)
    return made


@pytest.fixture
def managed(graph):
    made = graph(CentreTracker(), subscribe=("status",), autostart=False)
    return made, Manager(made)


def test_there_is_none_where_bondpy_is_not_installed(monkeypatch):
    monkeypatch.setitem(sys.modules, "bondpy", None)
    assert form_bond(None) is None


def test_a_bond_is_formed_with_activation_as_nav2s_manager_expects_it(bonds, managed):
    _, manager = managed
    assert manager.change("configure")
    assert bonds == []
    assert manager.change("activate")
    (bond,) = bonds
    assert (bond.topic, bond.id) == ("bond", "fastsam2_tracker")
    assert bond.done == [("start", 0.1, 4.0)]


@pytest.mark.parametrize("end", ["deactivate", "shutdown"])
def test_a_bond_is_broken_when_the_node_is_no_longer_active(bonds, managed, end):
    _, manager = managed
    up(manager)
    assert manager.change(end)
    (bond,) = bonds
    assert bond.done[1:] == ["shutdown"]


def test_another_activation_forms_another_bond(bonds, managed):
    _, manager = managed
    up(manager)
    assert manager.change("deactivate")
    assert manager.change("activate")
    assert len(bonds) == 2
