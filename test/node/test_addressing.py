import pytest

from fastsam2_ros.errors import InputError
from fastsam2_ros.node.addressing import check_cameras, text_of, texts_by_camera

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
        ("FRONT: red mug", {"front": " red mug"}),
        ("stop sign: red", {"front": "stop sign: red", "left": "stop sign: red"}),
    ],
)
def test_a_text_is_for_all_cameras_or_for_those_that_it_names(text, texts):
    assert texts_by_camera(text, CAMERAS) == texts


@pytest.mark.parametrize("text", ["back: cup", "front: cup; back: plate", "Back:"])
def test_a_name_of_no_camera_is_refused_with_those_that_there_are(text):
    with pytest.raises(InputError, match=r"ack:' in the description is not .*front, left"):
        texts_by_camera(text, CAMERAS)


def test_of_names_that_differ_in_capitals_only_the_exact_one_counts():
    assert texts_by_camera("Front: cup", ["front", "Front"]) == {"Front": " cup"}


@pytest.mark.parametrize(("text", "own"), [("cup", "cup"), ("Front: cup", " cup"), ("cup; front: plate", "cup; plate")])
def test_a_text_for_one_camera_loses_its_name(text, own):
    assert text_of("front", text, CAMERAS) == own


@pytest.mark.parametrize("text", ["left: cup", "front: cup; left: cup", "back: cup"])
def test_a_text_for_one_camera_that_names_another_is_refused(text):
    with pytest.raises(InputError, match="left"):
        text_of("front", text, CAMERAS)


@pytest.mark.parametrize("text", ["red mug", "", ": cup", "front: cup"])
def test_the_only_camera_gets_every_text_as_it_is(text):
    assert texts_by_camera(text, [""]) == {"": text}
    assert text_of("", text, [""]) == text


@pytest.mark.parametrize("names", [["front"], ["front", "left_2"], ["A1"], []])
def test_names_that_topics_can_have_are_taken(names):
    check_cameras(names)


@pytest.mark.parametrize(
    "names", [["1st"], ["a b"], ["a/b"], ["a__b"], ["a_"], ["ä"], ["front", "front"], [f"c{n}" for n in range(33)]]
)
def test_other_names_are_refused(names):
    with pytest.raises(InputError, match="cameras"):
        check_cameras(names)


def test_full_width_marks_separate_too():
    assert texts_by_camera("front：red mug；left：plate", ["front", "left"]) == {"front": "red mug", "left": "plate"}
