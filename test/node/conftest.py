import gc
import threading
from types import SimpleNamespace

import pytest
import rclpy
from ros_domain import own_domain

from fastsam2_ros.node.camera import Camera
from fastsam2_ros.node.worker import Worker

from .fakes import CentreTracker
from .graph import Graph
from .manager import Manager
from .work import Listener


@pytest.fixture
def domain():
    return own_domain()


@pytest.fixture(scope="session")
def frozen():
    """What `context` has frozen is freed at the end, as ever."""
    yield
    gc.unfreeze()


@pytest.fixture
def context(domain, frozen):
    context = rclpy.Context()
    rclpy.init(context=context, domain_id=domain)
    yield context
    rclpy.try_shutdown(context=context)
    # What is left of the node in cycles would take /rosout from the next one of its name, whenever it is collected. What
    # stays is not looked at again: that would take half a second for each test.
    gc.collect()
    gc.freeze()


@pytest.fixture
def graph(context):
    """Makes a `Graph` of a tracker and parameters."""
    graphs = []

    def make(tracker, **options):
        graphs.append(Graph(context, tracker, **options))
        return graphs[-1]

    yield make
    for made in graphs:
        made.close()


@pytest.fixture
def busy_in_reset(monkeypatch):
    """Keeps a node busy from its next reset, which sets `begun`, until `free` is set."""
    busy = SimpleNamespace(begun=threading.Event(), free=threading.Event())

    def reset(_: Camera) -> None:
        busy.begun.set()
        busy.free.wait()

    monkeypatch.setattr(Camera, "reset", reset)
    yield busy
    busy.free.set()


@pytest.fixture
def managed(graph):
    """A node that a manager has in hand."""

    def make(tracker=None, **values):
        made = graph(tracker or CentreTracker(), subscribe=("status", "tracks"), autostart=False, **values)
        return made, Manager(made)

    return make


@pytest.fixture
def listener():
    return Listener()


@pytest.fixture
def worker(listener):
    worker = Worker(lambda error: listener.on_failure("job", error))
    yield worker
    worker.stop()


@pytest.fixture
def queue(worker, listener):
    """Of the only camera."""
    return worker.new_queue(listener)


@pytest.fixture
def start(worker, queue):
    """Starts the worker with a tracker; the camera's queue."""

    def make(tracker):
        in_use = threading.Event()
        worker.call(lambda: (queue.use(tracker), in_use.set()))
        worker.start()
        assert in_use.wait(timeout=10)
        return queue

    return make
