import numpy as np
import pytest

from fastsam2_ros.lab.synthetic.looks import (
    COLOURS,
    PATTERNS,
    SHAPES,
    Look,
    absent_descriptions,
    describe,
    draw_look,
    draw_lookalike,
    unique_description,
)

MUG = Look("red", "striped", "mug")


def test_there_are_enough_words() -> None:
    assert len(set(SHAPES)) >= 16
    assert len(set(COLOURS)) == 8
    assert len(set(PATTERNS)) == 5


def test_phrases_are_those_of_people() -> None:
    phrases = describe("red", "striped", "mug", "small")
    assert phrases[0] == "small red striped mug"
    assert {"the little red striped cup", "a small red mug with stripes"} <= set(phrases)
    assert len(set(phrases)) == len(phrases)


def test_a_plain_pattern_need_not_be_said() -> None:
    assert describe("orange", "plain", "car")[:3] == ("orange car", "the orange car", "an orange car")


def test_what_is_not_given_is_not_said() -> None:
    assert describe(colour="blue", shape="key")[0] == "blue key"
    assert describe(colour="blue")[0] == "blue thing"


@pytest.mark.parametrize("shared", [0, 1, 2])
def test_a_lookalike_shares_as_much_as_it_is_told_to(shared: int) -> None:
    rng = np.random.default_rng(0)
    for _ in range(50):
        target = draw_look(rng)
        assert draw_lookalike(rng, target, shared).shared(target) == shared


@pytest.mark.parametrize(
    ("other", "wrong"),
    [
        (Look("red", "plain", "mug"), "red mug"),
        (Look("blue", "striped", "mug"), "striped mug"),
    ],
)
def test_the_description_leaves_out_what_is_true_of_another_too(other: Look, wrong: str) -> None:
    told = {unique_description(np.random.default_rng(seed), MUG, [other]).removeprefix("the ") for seed in range(60)}
    assert wrong not in told
    assert "red striped mug" in told


def test_a_double_cannot_be_told_apart() -> None:
    with pytest.raises(ValueError, match="double"):
        unique_description(np.random.default_rng(0), MUG, [Look("red", "striped", "mug", "large")])


def test_absent_things_are_of_shapes_that_are_there_and_that_are_not() -> None:
    told = absent_descriptions(np.random.default_rng(0), [MUG])
    assert {text.split()[-1] == "mug" for text in told} == {True, False}
    assert not any(text.startswith("red") and text.endswith("mug") for text in told)
