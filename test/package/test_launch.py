"""The launch files, as far as they can be judged; with launch_ros (a ROS installation) they are loaded."""

from __future__ import annotations

import os
from xml.etree import ElementTree

import pytest

from fastsam2_ros.config import flat_options

from . import project
from .project import ROOT

FULL_HD = 1920 * 1080 * 3  # bytes of one raw image


@pytest.fixture
def load(monkeypatch):
    pytest.importorskip("launch_ros", reason="launch_ros is part of a ROS installation, and is not here")
    for name in ("FASTDDS_DEFAULT_PROFILES_FILE", "FASTRTPS_DEFAULT_PROFILES_FILE"):
        monkeypatch.delenv(name, raising=False)

    return lambda name: project.load(f"launch/{name}.launch.py")


@pytest.mark.parametrize("name", ["track", "replay"])
def test_is_python(name):
    path = ROOT / "launch" / f"{name}.launch.py"
    compile(path.read_text(), path, "exec")


@pytest.mark.parametrize("name", ["track", "replay"])
def test_is_a_launch_description(load, name):
    assert load(name).generate_launch_description().entities


def test_arguments_name_real_parameters(load):
    own = {"description", "image_transport"}
    assert {parameter for parameter, _, _ in load("track").SETTINGS.values()} <= set(flat_options()) | own


@pytest.mark.parametrize(
    ("distribution", "variable"),
    [
        ("humble", "FASTRTPS_DEFAULT_PROFILES_FILE"),
        ("jazzy", "FASTRTPS_DEFAULT_PROFILES_FILE"),
        ("kilted", "FASTDDS_DEFAULT_PROFILES_FILE"),
    ],
)
def test_dds_profile_is_set_by_the_name_that_the_distribution_knows(load, monkeypatch, distribution, variable):
    monkeypatch.setenv("ROS_DISTRO", distribution)
    (action,) = load("track").dds_profile()
    assert action.name[0].text == variable


def test_dds_profile_of_the_user_stays(load, monkeypatch):
    monkeypatch.setenv("FASTRTPS_DEFAULT_PROFILES_FILE", "mine.xml")
    assert load("track").dds_profile() == []
    assert os.environ["FASTRTPS_DEFAULT_PROFILES_FILE"] == "mine.xml"


def test_shared_memory_holds_large_images():
    tree = ElementTree.parse(ROOT / "config" / "fastdds.xml")
    size = {name: int(tree.findtext(f".//{{*}}{name}")) for name in ("segment_size", "maxMessageSize")}
    assert FULL_HD < size["maxMessageSize"] < size["segment_size"]
