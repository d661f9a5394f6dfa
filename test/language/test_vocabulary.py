import pytest

from fastsam2_ros.language.vocabulary import COLOURS, NEGATIVES, NOUNS, TEMPLATES, negatives_for


@pytest.mark.parametrize("words", [NOUNS, NEGATIVES, COLOURS])
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
