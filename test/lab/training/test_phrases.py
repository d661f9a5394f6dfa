"""What is said of the generated world's things."""

from __future__ import annotations

import numpy as np
import pytest

from fastsam2_ros.lab.synthetic.looks import COLOURS, PATTERNS, SHAPES, Look
from fastsam2_ros.lab.training.phrases import ABSENT_NOUNS, UNSAID, attributes, phrase

LOOKS = [Look("red", "striped", "mug"), Look("blue", "plain", "duck")]


@pytest.mark.parametrize("look", LOOKS)
def test_what_a_phrase_names_is_true(look):
    for seed in range(50):
        _, named = phrase(np.random.default_rng(seed), look)
        assert all(said in (UNSAID, own) for said, own in zip(named, attributes(look), strict=True))


def test_sentences_say_what_they_name():
    for seed in range(50):
        sentence, (colour, _, _) = phrase(np.random.default_rng(seed), LOOKS[seed % 2])
        spoken = [word for word in COLOURS if word in sentence.replace(".", " ").split()]
        assert spoken == ([] if colour == UNSAID else [COLOURS[colour]])


def test_absent_things_are_not_of_this_world():
    assert not {word for noun in ABSENT_NOUNS for word in noun.split()} & {*SHAPES, *COLOURS, *PATTERNS}
