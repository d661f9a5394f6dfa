import pytest

from fastsam2_ros.errors import InputError
from fastsam2_ros.language.vocabulary import (
    COLOURS,
    NEGATIVES,
    NOUNS,
    PATTERNS,
    TEMPLATES,
    contrasts,
    negatives_for,
    read_nouns,
)


@pytest.mark.parametrize("words", [NOUNS, NEGATIVES, COLOURS, PATTERNS])
def test_the_vocabulary_is_clean(words):
    assert len(set(words)) == len(words)
    assert all(word == " ".join(word.split()) and word for word in words)


def test_every_template_has_one_place():
    assert all(template.count("{}") == 1 for template in TEMPLATES)


@pytest.mark.parametrize(
    ("description", "missing"),
    [
        ("red mug", set()),
        ("the open Door", {"door"}),
        ("trees", {"tree"}),
        ("table", set()),
        ("top of the table", {"table top"}),
        ("clock on the wall, blue", {"wall"}),
    ],
)
def test_what_a_description_names_is_no_negative_of_it(description, missing):
    assert set(NEGATIVES) - set(negatives_for(["green box", description])) == missing


def test_a_file_names_a_thing_on_each_line(tmp_path):
    file = tmp_path / "names.txt"
    file.write_text("# of our workshop\ntorque wrench\n\n  vice  # on the bench\ntorque wrench\n", "utf-8")
    assert read_nouns(str(file)) == ("torque wrench", "vice")


@pytest.mark.parametrize("content", [b"# nothing\n", b"\xff\xfe\xff", None], ids=["names nothing", "no text", "absent"])
def test_a_file_that_is_no_vocabulary_is_refused(tmp_path, content):
    file = tmp_path / "names.txt"
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(InputError, match=r"vocabulary .*names\.txt"):
        read_nouns(str(file))


@pytest.mark.parametrize(
    ("description", "some", "none"),
    [
        ("red mug", {"blue mug", "gray mug"}, {"red mug"}),
        ("the Grey striped cup", {"the red striped cup", "the Grey dotted cup"}, {"the gray striped cup"}),
        ("an orange", set(), {"an red"}),
        ("orange juice bottle", {"blue juice bottle"}, set()),
        ("coffee cup", set(), set()),
    ],
)
def test_a_description_contrasts_with_other_colours_and_patterns(description, some, none):
    found = set(contrasts(description))
    assert some <= found
    assert not none & found
    assert bool(found) == bool(some)


def test_contrasts_change_one_word_each():
    found = contrasts("red striped cup")
    assert len(found) == len(set(found)) == len(COLOURS) - 1 + len(PATTERNS) - 1
    assert all(sum(a != b for a, b in zip(each.split(), ["red", "striped", "cup"], strict=True)) == 1 for each in found)
