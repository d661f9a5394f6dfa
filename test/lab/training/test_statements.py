"""What is said of things, and of which it is true."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from fastsam2_ros.lab.synthetic.looks import PATTERNS, SHAPES
from fastsam2_ros.lab.training.gallery import GROUND, REAL, UNKNOWN, UNNAMED, WORLD, Gallery, colour_of, shape_words
from fastsam2_ros.lab.training.nouns import CLASSES, SYNONYMS, clean, imagenet_nouns
from fastsam2_ros.lab.training.phrases import UNSAID
from fastsam2_ros.lab.training.statements import Speaker, Statement
from fastsam2_ros.language.vocabulary import COLOURS

RED, BLUE, ORANGE = (COLOURS.index(name) for name in ("red", "blue", "orange"))
MUG, STAR = SHAPES.index("mug"), SHAPES.index("star")
PLAIN, STRIPED = PATTERNS.index("plain"), PATTERNS.index("striped")
COLLIE, COFFEE_MUG = 231, 504
THINGS = (
    # origin, names, shape, colour, pattern, class that the classifier is sure of
    (WORLD, "", MUG, RED, STRIPED, None),
    (REAL, "dog", UNKNOWN, UNKNOWN, UNKNOWN, COLLIE),
    (REAL, "chair", UNKNOWN, RED, UNKNOWN, None),
    (UNNAMED, "", UNKNOWN, UNKNOWN, UNKNOWN, COFFEE_MUG),
    (GROUND, "", UNKNOWN, UNKNOWN, UNKNOWN, None),
    (GROUND, "?", UNKNOWN, UNKNOWN, UNKNOWN, None),
)
SHOWN, DOG, CHAIR, PHOTOGRAPHED, GROUND_OF_WORLD, GROUND_OF_PHOTOGRAPH = range(len(THINGS))


@pytest.fixture(scope="module")
def gallery():
    words = ["?", "chair", "dog"]
    column = torch.tensor([[word == names for word in words] for _, names, *_ in THINGS])
    origins, shapes, colours, patterns = (torch.tensor([each[place] for each in THINGS]) for place in (0, 2, 3, 4))
    cells = torch.zeros(len(THINGS), dtype=torch.bool)
    return Gallery(torch.zeros(len(THINGS), 4), column, shapes, colours, patterns, origins, cells, words)


@pytest.fixture(scope="module")
def speaker(gallery):
    classes = torch.zeros(len(THINGS), CLASSES)
    for row, thing in enumerate(THINGS):
        if thing[5] is not None:
            classes[row, thing[5]] = 1
    return Speaker(gallery, classes)


def said(noun="", shape=UNSAID, colour=UNSAID, pattern=UNSAID):
    return Statement("", noun, shape, colour, pattern)


@pytest.mark.parametrize(
    ("thing", "statement", "expected"),
    [
        (SHOWN, said("mug", MUG), 1),
        (SHOWN, said("mug", MUG, RED), 1),
        (SHOWN, said("mug", MUG, BLUE), 0),
        (SHOWN, said("mug", MUG, RED, PLAIN), 0),
        (SHOWN, said("star", STAR), 0),
        (SHOWN, said(colour=RED), 1),
        (SHOWN, said("coffee mug"), -1),
        (SHOWN, said("dog"), 0),
        (DOG, said("dog"), 1),
        (DOG, said("collie"), -1),
        (DOG, said("chair"), 0),
        (DOG, said("coffee mug"), 0),
        (DOG, said("dog", colour=RED), -1),
        (CHAIR, said("chair", colour=RED), 1),
        (CHAIR, said("chair", colour=BLUE), 0),
        (CHAIR, said("chair", colour=ORANGE), -1),
        (PHOTOGRAPHED, said("coffee mug"), 1),
        (PHOTOGRAPHED, said("collie"), 0),
        (PHOTOGRAPHED, said("surfboard"), -1),
        (GROUND_OF_WORLD, said("mug", MUG), 0),
        (GROUND_OF_WORLD, said(colour=RED), 0),
        (GROUND_OF_PHOTOGRAPH, said("dog"), 0),
        (GROUND_OF_PHOTOGRAPH, said("wardrobe"), -1),
    ],
)
def test_truth(speaker, thing, statement, expected):
    assert speaker.truth(torch.tensor([thing]), [statement]).tolist() == [[expected]]


@pytest.mark.parametrize("thing", [SHOWN, DOG, CHAIR, PHOTOGRAPHED])
def test_what_is_said_of_a_thing_first_is_not_false(speaker, thing):
    for seed in range(20):
        first, *_ = speaker.about(np.random.default_rng(seed), thing)
        assert int(speaker.truth(torch.tensor([thing]), [first])) != 0


def test_nothing_is_said_of_the_ground(speaker):
    assert speaker.about(np.random.default_rng(0), GROUND_OF_WORLD) == []


def test_names_of_classes_are_their_own(speaker):
    numbers = np.array([COFFEE_MUG, 817])
    nouns = [each.noun for each in speaker.of_classes(np.random.default_rng(0), numbers)]
    assert [COFFEE_MUG in imagenet_nouns()[nouns[0]], 817 in imagenet_nouns()[nouns[1]]] == [True, True]


@pytest.mark.parametrize(
    ("word", "number"), [("black swan", 100), ("tabby cat", 281), ("dog", 151), ("car", 817), ("dromedary", 354)]
)
def test_words_for_classes(word, number):
    assert number in imagenet_nouns()[word]


def test_latin_names_are_left_out():
    assert "cygnus atratus" not in imagenet_nouns()


def test_every_class_has_a_name():
    assert set().union(*imagenet_nouns().values()) == set(range(CLASSES))


def test_folders_become_words():
    assert clean("Red-Bell-Pepper") == "red bell pepper"


def test_a_word_that_may_name_a_drawn_shape_is_known():
    assert shape_words(["coffee mug", "dog"])[:, MUG].tolist() == [True, False]


@pytest.mark.parametrize(
    ("rgb", "name"),
    [((200, 20, 20), "red"), ((20, 20, 200), "blue"), ((250, 250, 245), "white"), ((10, 10, 10), "black")],
)
def test_colours_of_pixels(rgb, name):
    assert COLOURS[colour_of(np.full((50, 3), rgb, np.uint8))] == name


def test_a_thing_of_two_colours_has_none():
    pixels = np.array([(200, 20, 20)] * 25 + [(20, 20, 200)] * 25, np.uint8)
    assert colour_of(pixels) == UNKNOWN


def test_a_thing_is_called_by_the_synonyms_of_its_name_too(gallery):
    more = gallery.also_called({"dog": ("pooch",), "pooch": ("mutt", "chair"), "cat": ("kitten",)})
    assert more.words == ["?", "chair", "dog", "mutt", "pooch"]
    assert more.synonyms == ["mutt", "pooch"]
    assert more.names[DOG].tolist() == [False, True, True, True, True]
    assert more.names[CHAIR].tolist() == [False, True, False, False, False]
    assert torch.equal(more.names[:, 0], gallery.names[:, 0])
    speaker = Speaker(more, torch.zeros(len(THINGS), CLASSES))
    truth = speaker.truth(torch.tensor([DOG, CHAIR, GROUND_OF_PHOTOGRAPH]), [said("mutt"), said("dog")])
    # Where no dog is, a mutt may be: what data sets call things says nothing of what they do not call so.
    assert truth.tolist() == [[1, 1], [0, 0], [-1, 0]]


def test_whoever_is_a_person_is_a_girl_and_so_is_a_face(gallery):
    called = gallery.also_called({"dog": ("faces",), **SYNONYMS})
    assert {"face", "person", "girl", "man"} <= {
        word for word, own in zip(called.words, called.names[DOG], strict=True) if own
    }


def test_synonyms_are_words_in_use_for_what_data_sets_call_things():
    for word, others in SYNONYMS.items():
        assert word == clean(word)
        assert all(other == other.lower() and other != word for other in others)
