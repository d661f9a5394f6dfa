import random

import pytest
import rclpy


@pytest.fixture
def domain():
    """A ROS domain that no other test, and no robot nearby, is likely to use."""
    return random.SystemRandom().randint(1, 100)


@pytest.fixture
def context(domain):
    context = rclpy.Context()
    rclpy.init(context=context, domain_id=domain)
    yield context
    rclpy.try_shutdown(context=context)
