import pytest
import rclpy
from ros_domain import own_domain

from .graph import Graph


@pytest.fixture
def domain():
    return own_domain()


@pytest.fixture
def context(domain):
    context = rclpy.Context()
    rclpy.init(context=context, domain_id=domain)
    yield context
    rclpy.try_shutdown(context=context)


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
