"""Boxes of another detector: which of them is meant, and what becomes of it."""

import pytest
import torch

from fastsam2_ros.config import LanguageConfig
from fastsam2_ros.language.detections import MAX_AGE, Detection, DetectionFinder
from fastsam2_ros.language.finder import Wanted

from .fakes import ColourFeatures, ColourSegmenter, scene

LEFT, RIGHT = (20.0, 20.0, 30.0, 20.0), (100.0, 20.0, 30.0, 20.0)
FRAME = scene(red=(20, 20, 30, 20), green=(100, 20, 30, 20))


class BoxSegmenter(ColourSegmenter):
    """A box's middle is its point, and the blob there the best mask."""

    def segment(self, features, points, labels, size):
        middle = points[:, :2].mean(1, keepdim=True)
        logits, _ = super().segment(features, middle, labels[:, :1] * 0 + 1, size)
        return logits, torch.tensor([[0.95, 0.8, 0.1]])


class Clock:
    now = 5.0

    def __call__(self):
        return self.now


def found(detections, *wanted, age=0.0):
    clock = Clock()
    finder = DetectionFinder(clock)
    finder.post(detections)
    clock.now += age
    asked = [each if isinstance(each, Wanted) else Wanted(each) for each in wanted]
    return finder.search(FRAME, ColourFeatures(FRAME), asked, BoxSegmenter(), LanguageConfig())


def boxes(results):
    return [None if each is None else tuple(round(value / 5) * 5 for value in each.box) for each in results]


TWO = [Detection("mug", LEFT, 0.7), Detection("box", RIGHT, 0.9)]


@pytest.mark.parametrize("description", ["mug", "Mugs", "the red mug"])
def test_a_class_fits_a_description_that_names_it(description):
    assert boxes(found(TWO, description)) == [LEFT]


def test_what_no_class_names_is_not_found():
    assert found(TWO, "spoon") == [None]


def test_a_class_without_a_name_fits_nothing():
    assert found([Detection("", LEFT, 0.9)], "mug") == [None]


def test_of_two_that_fit_the_better_score_counts():
    assert boxes(found([Detection("mug", LEFT, 0.7), Detection("mug", RIGHT, 0.9)], "mug")) == [RIGHT]


def test_a_relation_counts_before_the_score():
    assert boxes(found([Detection("mug", LEFT, 0.7), Detection("mug", RIGHT, 0.9)], "the left mug")) == [LEFT]


def test_the_same_text_counts_before_a_part_of_it():
    assert boxes(found([Detection("mug", LEFT, 0.9), Detection("red mug", RIGHT, 0.5)], "red mug")) == [RIGHT]


def test_a_box_goes_to_one_target():
    assert boxes(found([Detection("mug", LEFT, 0.7), Detection("mug", RIGHT, 0.9)], "mug", "red mug")) == [RIGHT, LEFT]


def test_old_detections_say_nothing():
    assert found(TWO, "mug", age=MAX_AGE + 0.1) == [None]


def test_a_box_outside_the_frame_is_none():
    assert found(
        [Detection("mug", (500.0, 0.0, 10.0, 10.0), 0.9), Detection("mug", (0, 0, float("nan"), 1), 1.0)], "mug"
    ) == [None]


def test_the_score_is_the_detectors_times_the_masks():
    (grounding,) = found(TWO, "mug")
    assert grounding.score == pytest.approx(0.7 * 0.95)


def test_scores_above_one_count_as_one():
    (grounding,) = found([Detection("mug", LEFT, 7.0)], "mug")
    assert grounding.score == pytest.approx(0.95)


def test_a_score_that_is_no_number_is_no_detection():
    assert found([Detection("mug", LEFT, float("nan"))], "mug") == [None]
