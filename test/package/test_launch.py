"""The launch files, as far as they can be judged; with launch_ros (a ROS installation) they are loaded and run."""

from __future__ import annotations

from xml.etree import ElementTree

import pytest

from . import project
from .project import ROOT

FULL_HD = 1920 * 1080 * 3  # bytes of one raw image
PIECE = 65_500  # bytes of an image's pieces where UDP is a transport too: its largest message
DOCKER = 64 * 2**20  # bytes of shared memory that a container has by default


@pytest.fixture
def load(monkeypatch):
    pytest.importorskip("launch_ros", reason="launch_ros is part of a ROS installation, and is not here")
    for name in ("FASTDDS_DEFAULT_PROFILES_FILE", "FASTRTPS_DEFAULT_PROFILES_FILE"):
        monkeypatch.delenv(name, raising=False)

    return lambda name: project.load(f"launch/{name}.launch.py")


@pytest.fixture
def perform(load):
    """What the tracker of track.launch.py becomes, with these launch configurations."""
    from launch import LaunchContext

    def run(**given):
        module, context = load("track"), LaunchContext()
        for entity in module.generate_launch_description().entities:
            if type(entity).__name__ == "DeclareLaunchArgument":
                name = entity.name
                default = "".join(each.perform(context) for each in entity.default_value or [])
                context.launch_configurations[name] = given.get(name, default)
        return module.tracker(context)

    return run


@pytest.mark.parametrize("name", ["track", "replay"])
def test_is_python(name):
    path = ROOT / "launch" / f"{name}.launch.py"
    compile(path.read_text(), path, "exec")


@pytest.mark.parametrize("name", ["track", "replay"])
def test_is_a_launch_description(load, name):
    assert load(name).generate_launch_description().entities


def test_the_tracker_is_one_node(perform):
    assert len(perform(image="/cam", description="yes", keep_ratio="0.5")) == 1


@pytest.mark.parametrize("given", [{"keep_ratio": "abc"}, {"params_file": "/no/such.yaml"}, {"model": "<robot>\n"}])
def test_a_wrong_argument_ends_the_launch_by_name(perform, given):
    with pytest.raises(Exception, match=next(iter(given))):
        perform(**given)


def test_several_cameras_are_one_node(perform):
    assert len(perform(cameras="[front, left]", image="/a /b")) == 1


def sizes(name):
    tree = ElementTree.parse(ROOT / "config" / f"{name}.xml")
    tags = ("segment_size", "maxMessageSize", "port_queue_capacity")
    return {tag: int(tree.findtext(f".//{{*}}{tag}")) for tag in tags}


def test_shared_memory_of_a_camera_holds_large_images():
    size = sizes("fastdds")
    assert FULL_HD < size["maxMessageSize"] < size["segment_size"]


@pytest.mark.parametrize("name", ["fastdds", "fastdds_node"])
def test_a_queue_holds_the_pieces_of_several_images_of_4k(name):
    assert sizes(name)["port_queue_capacity"] > 5 * (3840 * 2160 * 3 / PIECE)


def test_camera_and_tracker_fit_into_a_containers_shared_memory():
    assert sizes("fastdds")["segment_size"] + sizes("fastdds_node")["segment_size"] < DOCKER
