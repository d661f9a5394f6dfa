import pytest
import torch

from fastsam2_ros.errors import InputError
from fastsam2_ros.language import vocabulary
from fastsam2_ros.language.describe import describe

from .fakes import scene


class WordClip:
    """Every text has an axis of its own, and a crop points along the texts it is told to."""

    def __init__(self, *words):
        self._words = words
        self._axes = {}

    def _axis(self, text):
        return self._axes.setdefault(text, len(self._axes))

    def embed_texts(self, descriptions, templates=vocabulary.TEMPLATES):
        return torch.nn.functional.one_hot(torch.tensor([self._axis(text) for text in descriptions]), 2000).float()

    def embed_crops(self, frame, boxes, masks=None):
        crop = torch.zeros(len(boxes), 2000)
        crop[:, [self._axis(word) for word in self._words]] = 0.7
        return crop


def test_colour_and_noun_that_fit_best_are_named():
    assert describe(scene(), (10, 10, 20, 20), WordClip("mug", "red mug")) == "red mug"


def test_the_real_clip_names_something_of_the_vocabulary(clip):
    colour, _, noun = describe(scene(red=(10, 10, 20, 20)), (10, 10, 20, 20), clip).partition(" ")
    assert colour in vocabulary.COLOURS
    assert noun in vocabulary.NOUNS


def test_a_box_outside_the_frame_is_refused(clip):
    with pytest.raises(InputError, match="outside the frame"):
        describe(scene(), (500, 0, 10, 10), clip)


def test_a_vocabulary_of_ones_own_takes_the_place_of_the_shipped_one():
    named = describe(scene(), (10, 10, 20, 20), WordClip("mug", "vice", "blue vice"), ["torque wrench", "vice"])
    assert named == "blue vice"
