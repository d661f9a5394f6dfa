"""A ROS graph that nobody else is on."""

from __future__ import annotations

import os
import random
import sys
from collections.abc import Mapping
from pathlib import Path

_PROFILES = ("FASTDDS_DEFAULT_PROFILES_FILE", "FASTRTPS_DEFAULT_PROFILES_FILE")


def own_graph(environment: Mapping[str, str]) -> dict[str, str]:
    """The variables to add, so that no robot nearby hears what is commanded here or gets its images.

    The domain is one of 1 to 100, by chance; from Iron on, discovery also ends at this machine. Where `environment` names no
    profile for Fast DDS, config/fastdds.xml is added: raw images need more shared memory than the default.
    """
    added = {
        "ROS_DOMAIN_ID": str(random.SystemRandom().randint(1, 100)),
        "ROS_AUTOMATIC_DISCOVERY_RANGE": "LOCALHOST",
    }
    if any(environment.get(name) for name in _PROFILES):
        return added
    return added | with_profile("fastdds.xml", environment)


def with_profile(name: str, environment: Mapping[str, str]) -> dict[str, str]:
    """The variable that gives Fast DDS a file of config/; none where the file is not there."""
    prefixes = [*environment.get("AMENT_PREFIX_PATH", "").split(os.pathsep), sys.prefix]
    places = [Path(__file__).parents[2], *(Path(each) / "share" / "fastsam2_ros" for each in prefixes if each)]
    files = [file for place in places if (file := place / "config" / name).is_file()]
    # Fast DDS 2, of Humble and Jazzy, knows the second name only.
    variable = _PROFILES[environment.get("ROS_DISTRO") in ("humble", "iron", "jazzy")]
    return {variable: str(files[0])} if files else {}
