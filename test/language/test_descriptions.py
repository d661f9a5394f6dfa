import pytest

from fastsam2_ros.errors import InputError
from fastsam2_ros.language.descriptions import MAX_CHARACTERS, key, single, split


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("red mug", ("red mug",)),
        ("  red \t\n mug ", ("red mug",)),
        ("red mug; blue box", ("red mug", "blue box")),
        (";;red mug; ;", ("red mug",)),
        ("Red Mug; red mug; RED  MUG; box", ("Red Mug", "box")),
        ("", ()),
        (" ; \n", ()),
        ("red\0 m\x07ug", ("red mug",)),
        ("mug\ud800", ("mug",)),
        ("rote Tasse; 红色的杯子; ☕", ("rote Tasse", "红色的杯子", "☕")),
        ("cafe\u0301; caf\u00e9", ("caf\u00e9",)),
    ],
)
def test_a_text_is_split_into_clean_descriptions(text, expected):
    assert split(text, max_targets=8) == expected


def test_a_description_of_ten_kilobytes_is_refused_with_the_limit():
    with pytest.raises(InputError, match=r"10000 characters; at most 500 .* 77 tokens"):
        split("x" * 10_000, max_targets=8)


def test_the_longest_description_is_taken():
    assert split("x" * MAX_CHARACTERS, max_targets=1) == ("x" * MAX_CHARACTERS,)


def test_more_descriptions_than_targets_are_refused():
    with pytest.raises(InputError, match="describes 3 targets, and max_targets is 2"):
        split("a; b; c", max_targets=2)


def test_repeated_descriptions_count_once():
    assert split("a; A; b; B", max_targets=2) == ("a", "b")


@pytest.mark.parametrize(
    "separator", [";", "；", "؛", "\u037e"], ids=["ascii", "full width", "Arabic", "Greek question mark"]
)
def test_every_semicolon_separates(separator):
    assert split(f"red mug{separator} blue box", max_targets=2) == ("red mug", "blue box")


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Red Mug", "red mug"),
        ("red  mug ", "red mug"),
        ("Straße", "STRASSE"),
        ("ｒｅｄ mug", "red mug"),
        ("ﬁsh", "fish"),
    ],
)
def test_descriptions_that_are_the_same_have_one_key(one, other):
    assert key(one) == key(other)
    assert len(split(f"{one}; {other}", max_targets=2)) == 1


def test_other_descriptions_have_other_keys():
    assert key("red mug") != key("red mugs")


@pytest.mark.parametrize("text", ["\u200b", "\u200d", "\ufeff; \u202e"])
def test_what_is_not_seen_describes_nothing(text):
    assert split(text, max_targets=2) == ()


def test_joiners_stay_in_what_is_seen():
    assert split("👩\u200d🚒", max_targets=1) == ("👩\u200d🚒",)


def test_a_single_description_is_never_two():
    assert single(" red mug；  blue ") == "red mug, blue"
