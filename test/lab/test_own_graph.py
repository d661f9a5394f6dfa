"""The demo and `make hard` keep to themselves."""

from pathlib import Path

import pytest

from fastsam2_ros.lab.own_graph import own_graph


def test_domain_is_one_that_every_system_has_ports_for() -> None:
    assert 1 <= int(own_graph({})["ROS_DOMAIN_ID"]) <= 100


@pytest.mark.parametrize(
    ("distro", "name"), [("kilted", "FASTDDS_DEFAULT_PROFILES_FILE"), ("humble", "FASTRTPS_DEFAULT_PROFILES_FILE")]
)
def test_large_images_get_their_shared_memory(distro: str, name: str) -> None:
    assert Path(own_graph({"ROS_DISTRO": distro})[name]).name == "fastdds.xml"


@pytest.mark.parametrize("name", ["FASTDDS_DEFAULT_PROFILES_FILE", "FASTRTPS_DEFAULT_PROFILES_FILE"])
def test_a_profile_of_the_user_stays(name: str) -> None:
    assert set(own_graph({name: "mine.xml"})) == {"ROS_DOMAIN_ID", "ROS_AUTOMATIC_DISCOVERY_RANGE"}
