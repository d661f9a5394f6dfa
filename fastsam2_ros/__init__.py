"""Tracks what a text describes: SAM 2 with text-driven token pruning, for ROS 2.

Importing this package loads neither torch nor ROS.
"""

from __future__ import annotations

from pkgutil import extend_path
from typing import TYPE_CHECKING, Any

# The generated messages (fastsam2_ros.msg) may lie in another folder of this name: the library installed by pip or read
# from its sources, the messages built by colcon.
__path__ = extend_path(__path__, __name__)

if TYPE_CHECKING:
    from fastsam2_ros.config import TrackerConfig
    from fastsam2_ros.pruning.plugin import prune, unprune
    from fastsam2_ros.results import TrackedObject, TrackResult, TrackState
    from fastsam2_ros.tracker import TextTracker

__version__ = "0.1.0"
__all__ = ["TextTracker", "TrackResult", "TrackState", "TrackedObject", "TrackerConfig", "prune", "unprune"]


def __getattr__(name: str) -> Any:
    """Import the public names when they are asked for, so that `msg` alone stays light."""
    from importlib import import_module

    plugin = "pruning.plugin"
    homes = {"TextTracker": "tracker", "TrackerConfig": "config", "prune": plugin, "unprune": plugin}
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{homes.get(name, 'results')}"), name)
