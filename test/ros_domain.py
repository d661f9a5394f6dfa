"""A ROS domain for one test."""

from __future__ import annotations

import os
import random


def own_domain() -> int:
    """One of 1 to 100 that no other test, and no robot nearby, is likely to use: each of two workers draws from its half."""
    worker = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
    return random.SystemRandom().randint(1, 50) + 50 * (worker % 2)
