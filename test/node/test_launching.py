"""What the launch files decide, without launch."""

from pathlib import Path

import pytest

from fastsam2_ros.config import flat_options
from fastsam2_ros.errors import InputError
from fastsam2_ros.node import launching
from fastsam2_ros.node.parameters import OWN

GIVEN = {"rate": "1.0", "start": "0", "wait": "60", "loop": "false", "clock": "false", "topics": "", "remap": ""}


def words(tmp_path, **given):
    (tmp_path / "bag").mkdir(exist_ok=True)
    given = {**GIVEN, "bag": str(tmp_path / "bag"), **given}
    return launching.replay_command(Path("/lib/fastsam2"), given, ["/camera/image"])


def test_every_parameter_is_an_argument_with_its_description():
    told = launching.arguments()
    assert {*flat_options(), *OWN} <= set(told)
    assert all(told.values())


def test_arguments_name_real_parameters():
    assert set(launching.SHORT.values()) <= set(flat_options())


def test_what_is_not_given_is_left_to_the_file():
    assert launching.parameters({"model": "", "max_targets": "", "description": ""}) == {}


@pytest.mark.parametrize(
    ("argument", "text", "parameter", "value"),
    [
        ("model", "tiny", "model.name", "tiny"),
        ("model.name", "tiny", "model.name", "tiny"),
        ("keep_ratio", "1", "pruning.keep_ratio", 1.0),
        ("description", "yes", "description", "yes"),
        ("description", "7", "description", "7"),
        ("max_targets", "3", "max_targets", 3),
        ("autostart", "False", "autostart", False),
        ("lost_seconds", ".5", "lost_seconds", 0.5),
        ("cameras", "[front, left]", "cameras", ["front", "left"]),
        ("cameras", "front left", "cameras", ["front", "left"]),
        ("cameras", "front", "cameras", ["front"]),
    ],
)
def test_a_value_has_the_type_of_its_parameter(argument, text, parameter, value):
    values = launching.parameters({argument: text})
    assert values == {parameter: value}
    assert type(values[parameter]) is type(value)


@pytest.mark.parametrize(
    ("argument", "text"),
    [("keep_ratio", "abc"), ("keep_ratio", "nan"), ("max_targets", "1.5"), ("autostart", "perhaps"), ("seed", "x")],
)
def test_a_value_of_the_wrong_kind_is_refused_by_the_arguments_name(argument, text):
    argument = {"seed": "model.seed"}.get(argument, argument)
    with pytest.raises(InputError, match=f"argument {argument} is"):
        launching.parameters({argument: text})


def test_an_argument_of_a_launch_file_around_this_one_is_noticed():
    with pytest.raises(InputError, match=r"model .*forwards nothing"):
        launching.parameters({"model": '<?xml version="1.0"?>\n<robot name="arm"/>'})


def test_the_short_argument_counts_where_both_are_given():
    assert launching.parameters({"model": "tiny", "model.name": "large"}) == {"model.name": "tiny"}


@pytest.mark.parametrize(
    ("distribution", "variable"),
    [
        ("humble", "FASTRTPS_DEFAULT_PROFILES_FILE"),
        ("jazzy", "FASTRTPS_DEFAULT_PROFILES_FILE"),
        ("kilted", "FASTDDS_DEFAULT_PROFILES_FILE"),
        ("", "FASTDDS_DEFAULT_PROFILES_FILE"),
    ],
)
def test_the_dds_profile_is_set_by_the_name_that_the_distribution_knows(distribution, variable):
    assert launching.dds_profile({"ROS_DISTRO": distribution}, Path("/a.xml")) == {variable: "/a.xml"}


@pytest.mark.parametrize("name", ["FASTDDS_DEFAULT_PROFILES_FILE", "FASTRTPS_DEFAULT_PROFILES_FILE"])
def test_the_dds_profile_of_the_user_stays(name):
    assert launching.dds_profile({name: "mine.xml"}, Path("/a.xml")) == {}


def test_a_file_that_is_not_there_is_refused_by_the_arguments_name():
    with pytest.raises(InputError, match=r"params_file is /no/such\.yaml"):
        launching.existing("params_file", "/no/such.yaml")


def test_a_replay_waits_for_the_trackers_topic_alone(tmp_path):
    command = words(tmp_path)
    assert command[:3] == ["/lib/fastsam2", "replay", str(tmp_path / "bag")]
    assert command[command.index("--wait-for") + 1 :] == ["/camera/image"]


def test_a_replay_gets_what_is_asked_for(tmp_path):
    command = words(tmp_path, rate="2", start="1.5", loop="true", clock="true", remap="/a:=/b /c:=/d", topics="/a /c")
    text = " ".join(command)
    for part in ("--rate 2.0", "--start 1.5", "--loop", "--clock", "--remap /a:=/b", "--remap /c:=/d"):
        assert part in text
    assert command[-3:] == ["--topics", "/a", "/c"]


@pytest.mark.parametrize(("name", "value"), [("rate", "fast"), ("start", "abc"), ("loop", "x")])
def test_a_wrong_argument_of_the_replay_is_named(tmp_path, name, value):
    with pytest.raises(InputError, match=name):
        words(tmp_path, **{name: value})


def test_a_bag_that_is_not_there_is_named():
    with pytest.raises(InputError, match="/no/such/bag"):
        launching.replay_command(Path("fastsam2"), {**GIVEN, "bag": "/no/such/bag"}, ["/image"])


@pytest.mark.parametrize(
    ("image", "cameras", "remappings"),
    [
        ("/cam", [], {"image": "/cam"}),
        ("/a /b", ["front", "left"], {"front/image": "/a", "left/image": "/b"}),
        (launching.IMAGE, ["front", "left"], {}),
        (launching.IMAGE, [], {"image": launching.IMAGE}),
    ],
)
def test_every_camera_has_its_image_topic(image, cameras, remappings):
    assert launching.image_remappings(image, cameras) == remappings


@pytest.mark.parametrize(("image", "cameras"), [("/a /b", []), ("/a", ["front", "left"]), ("", [])])
def test_another_number_of_image_topics_than_of_cameras_is_refused(image, cameras):
    with pytest.raises(InputError, match="argument image is"):
        launching.image_remappings(image, cameras)


@pytest.mark.parametrize(
    ("image", "cameras", "namespace", "topics"),
    [
        ("/cam", [], "robot", ["/cam"]),
        (launching.IMAGE, ["front", "left"], "", ["/front/image", "/left/image"]),
        (launching.IMAGE, ["front"], "/robot/", ["/robot/front/image"]),
        ("/a /b", ["front", "left"], "robot", ["/a", "/b"]),
    ],
)
def test_a_replay_waits_for_the_topics_that_the_node_has(image, cameras, namespace, topics):
    assert launching.image_topics(image, cameras, namespace) == topics


@pytest.mark.parametrize(
    ("cameras", "name", "namespace", "overlay"),
    [
        ([], "fastsam2_tracker", "", "/fastsam2_tracker/overlay"),
        ([], "eyes", "robot", "/robot/eyes/overlay"),
        (["front", "left"], "eyes", "/robot/", "/robot/eyes/front/overlay"),
    ],
)
def test_rviz_shows_this_nodes_topics(cameras, name, namespace, overlay):
    remappings = launching.viewer_remappings(["/a", "/b"], cameras, name, namespace)
    assert (remappings["/fastsam2_tracker/overlay"], remappings["/camera/image_raw"]) == (overlay, "/a")


@pytest.mark.parametrize(
    ("image", "info"),
    [("/front/color/image_raw", "/front/color/camera_info"), ("image", "camera_info"), ("/image", "/camera_info")],
)
def test_camera_info_lies_beside_the_images(image, info):
    assert launching.remappings(image, [], "", "")["camera_info"] == info


def test_depth_is_remapped_where_it_is_given():
    assert "depth" not in launching.remappings("/image", [], "", "")
    rules = launching.remappings("/image", [], "/depth_registered", "/info")
    assert (rules["depth"], rules["camera_info"], rules["image/compressed"]) == (
        "/depth_registered",
        "/info",
        "/image/compressed",
    )


def test_every_camera_has_its_depth_and_camera_info():
    rules = launching.remappings("/a/image /b/image", ["front", "left"], "/a/depth /b/depth", "")
    assert (rules["front/depth"], rules["left/depth"]) == ("/a/depth", "/b/depth")
    assert (rules["front/camera_info"], rules["left/camera_info"]) == ("/a/camera_info", "/b/camera_info")
    assert rules["left/image/compressed"] == "/b/image/compressed"


def test_the_topics_that_cameras_name_are_not_remapped():
    assert launching.remappings(launching.IMAGE, ["front", "left"], "", "") == {}


@pytest.mark.parametrize("argument", ["depth", "camera_info"])
def test_another_number_of_depth_topics_than_of_cameras_is_refused(argument):
    topics = {"depth": "", "camera_info": "", argument: "/a"}
    with pytest.raises(InputError, match=f"argument {argument} is /a, but the cameras are front, left"):
        launching.remappings(launching.IMAGE, ["front", "left"], **topics)
