"""What is said of things, and of which it is true."""

from __future__ import annotations

import numpy as np
import pytest

from fastsam2_ros.lab.synthetic.looks import COLOURS, PATTERNS, SHAPES, Look
from fastsam2_ros.lab.training.phrases import ABSENT_NOUNS, NOWHERE, UNSAID, attributes, phrases, truth

LOOKS = [Look("red", "striped", "mug"), Look("blue", "plain", "duck")]


@pytest.mark.parametrize(
    ("named", "expected"),
    [
        ((0, 1, 8), [True, False]),
        ((0, UNSAID, UNSAID), [True, False]),
        ((UNSAID, UNSAID, UNSAID), [True, True]),
        ((4, 1, 8), [False, False]),
        ((NOWHERE,) * 3, [False, False]),
    ],
)
def test_truth(named, expected):
    things = np.array([attributes(look) for look in LOOKS])
    assert truth(things, np.array([named]))[:, 0].tolist() == expected


def test_background_is_nothing_that_is_named():
    assert not truth(np.full((1, 3), -1), np.array([[0, 1, 8]])).any()


def test_each_look_gets_a_true_phrase_and_a_false_one():
    for seed in range(30):
        sentences, named = phrases(np.random.default_rng(seed), LOOKS, absent=2)
        table = truth(np.array([attributes(look) for look in LOOKS]), named)
        assert len(sentences) == len(named) == 6
        assert table[0, 0]
        assert table[1, 2]


def test_sentences_say_what_they_name():
    for seed in range(50):
        sentences, named = phrases(np.random.default_rng(seed), LOOKS, absent=0)
        for sentence, (colour, _, _) in zip(sentences, named, strict=True):
            spoken = [word for word in COLOURS if word in sentence.replace(".", " ").split()]
            assert spoken == ([] if colour == UNSAID else [COLOURS[colour]])


def test_absent_things_are_not_of_this_world():
    assert not {word for noun in ABSENT_NOUNS for word in noun.split()} & {*SHAPES, *COLOURS, *PATTERNS}
