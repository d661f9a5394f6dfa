"""/diagnostics with and without diagnostic_updater, which is not on PyPI: a stand-in has what of its interface is used."""

import sys
from types import ModuleType

import pytest
from diagnostic_msgs.msg import DiagnosticStatus, KeyValue
from rclpy.executors import SingleThreadedExecutor
from rclpy.parameter import Parameter

from fastsam2_ros.node import diagnostics
from fastsam2_ros.node.tracker_node import TrackerNode

from .fakes import CentreTracker


class StatusWrapper(DiagnosticStatus):
    """diagnostic_updater.DiagnosticStatusWrapper."""

    def summary(self, level, message):
        self.level, self.message = level, message

    def add(self, key, value):
        self.values = [*self.values, KeyValue(key=key, value=value)]


class Timer:
    def __init__(self):
        self.cancelled = False

    def cancel(self):
        self.cancelled = True


class Updater:
    """diagnostic_updater.Updater: keeps what it would publish."""

    made = []  # noqa: RUF012  set anew by the fixture

    def __init__(self, node, period=1.0):
        self.made.append(self)
        self.period, self.timer, self.hardware, self.tasks, self.published = 0.05, Timer(), "", {}, []

    def setHardwareID(self, name):  # noqa: N802  its name
        self.hardware = name

    def add(self, name, task):
        self.tasks[name] = task

    def force_update(self):
        self.published.append([task(StatusWrapper(name=name)) for name, task in self.tasks.items()])


@pytest.fixture
def updaters(monkeypatch):
    """Those that are made."""
    monkeypatch.setattr(Updater, "made", [])
    module = ModuleType("diagnostic_updater")
    module.Updater = Updater
    monkeypatch.setitem(sys.modules, "diagnostic_updater", module)
    return Updater.made


def test_it_is_none_where_it_is_not_installed(monkeypatch):
    monkeypatch.setitem(sys.modules, "diagnostic_updater", None)
    assert diagnostics.diagnostic_updater() is None


def test_an_updater_gets_every_part_of_an_entry():
    values = [KeyValue(key="a", value="1"), KeyValue(key="b", value="2")]
    entry = DiagnosticStatus(
        level=DiagnosticStatus.WARN, name="x", message="odd", hardware_id="mini on cpu", values=values
    )
    filled = diagnostics.fill(StatusWrapper(name="tracker"), entry)
    assert (filled.level, filled.message, filled.hardware_id) == (DiagnosticStatus.WARN, "odd", "mini on cpu")
    assert (filled.name, filled.values) == ("tracker", values)


@pytest.fixture
def node(context):
    """Makes a node, whose timers run while `spin` does."""
    executor, nodes = SingleThreadedExecutor(context=context), []

    def make(**values):
        parameters = [Parameter(name, value=value) for name, value in values.items()]
        nodes.append(TrackerNode(lambda config: CentreTracker(), context=context, parameter_overrides=parameters))
        executor.add_node(nodes[-1])
        return nodes[-1], lambda: executor.spin_once(timeout_sec=5)

    yield make
    executor.shutdown()
    for made in nodes:
        made.close()


def test_the_updater_publishes_an_entry_of_each_camera(node, updaters):
    _, spin = node(cameras=["front", "left"])
    (updater,) = updaters
    while not updater.published:
        spin()
    assert [entry.name for entry in updater.published[0]] == ["front", "left"]


def test_the_updaters_own_timer_which_goes_by_simulated_time_is_replaced(node, updaters):
    _, spin = node(use_sim_time=True)
    (updater,) = updaters
    while not updater.published:
        spin()
    assert updater.timer.cancelled


def test_an_entry_tells_of_rates_latency_drops_keep_ratio_memory_and_state(node):
    made, _ = node()
    keys = {value.key for value in made.cameras[""].diagnostics().values}
    assert keys >= {
        "life cycle",
        "state",
        "input rate (Hz)",
        "output rate (Hz)",
        "latency (ms)",
        "dropped",
        "keep ratio",
        "resident memory (MB)",
    }


def test_resident_memory_is_what_the_kernel_says(node):
    made, _ = node()
    values = {value.key: value.value for value in made.cameras[""].diagnostics().values}
    assert int(values["resident memory (MB)"]) > 10
