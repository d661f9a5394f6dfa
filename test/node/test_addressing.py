import pytest

from fastsam2_ros.errors import InputError
from fastsam2_ros.node.addressing import check_cameras, texts_by_camera

CAMERAS = ["front", "left"]


@pytest.mark.parametrize(
    ("text", "texts"),
    [
        ("red mug; plate", {"front": "red mug; plate", "left": "red mug; plate"}),
        ("", {"front": "", "left": ""}),
        ("front: red mug", {"front": " red mug"}),
        ("front:", {"front": ""}),
        ("front: red mug; plate", {"front": " red mug; plate"}),
        ("front: red mug; left: plate", {"front": " red mug", "left": " plate"}),
        (" left : plate; front:red mug; left: cup", {"left": " plate; cup", "front": "red mug"}),
        ("cup; front: red mug", {"front": "cup; red mug", "left": "cup"}),
        (" ; front: red mug", {"front": " red mug"}),
        ("sign: stop", {"front": "sign: stop", "left": "sign: stop"}),
        ("back: cup", {"front": "back: cup", "left": "back: cup"}),
    ],
)
def test_a_text_is_for_all_cameras_or_for_those_that_it_names(text, texts):
    assert texts_by_camera(text, CAMERAS) == texts


@pytest.mark.parametrize("text", ["red mug", "", ": cup", "front: cup"])
def test_the_only_camera_gets_every_text_as_it_is(text):
    assert texts_by_camera(text, [""]) == {"": text}


@pytest.mark.parametrize("names", [["front"], ["front", "left_2"], ["A1"], []])
def test_names_that_topics_can_have_are_taken(names):
    check_cameras(names)


@pytest.mark.parametrize(
    "names", [["1st"], ["a b"], ["a/b"], ["a__b"], ["a_"], ["ä"], ["front", "front"], [f"c{n}" for n in range(33)]]
)
def test_other_names_are_refused(names):
    with pytest.raises(InputError, match="cameras"):
        check_cameras(names)
