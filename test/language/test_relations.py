import pytest
import torch

from fastsam2_ros.language.grounding import Grounding
from fastsam2_ros.language.relations import LARGEST, LEFT, MIDDLE, RIGHT, decide, parse

SIZE = (100, 200)
BOXES = {"left": (0, 40, 20, 20), "large": (60, 20, 60, 60), "right": (170, 40, 20, 20)}


@pytest.mark.parametrize(
    ("description", "plain", "relation"),
    [
        ("the left mug", "mug", LEFT),
        ("leftmost red mug", "red mug", LEFT),
        ("mug on the right", "mug", RIGHT),
        ("mug on the far left side", "mug", LEFT),
        ("the largest of the boxes", "boxes", LARGEST),
        ("Biggest box", "box", LARGEST),
        ("box nearest to the middle", "box", MIDDLE),
        ("the middle cup", "cup", MIDDLE),
        ("the remote left on the table", "the remote left on the table", None),
        ("cup left of the plate", "cup left of the plate", None),
        ("left", "left", None),
        ("the leftover pizza", "the leftover pizza", None),
    ],
)
def test_a_relation_is_what_stands_first_or_last(description, plain, relation):
    assert parse(description) == (plain, relation)


def candidate(name, score=0.8, margin=0.1):
    x, y, width, height = BOXES[name]
    logits = torch.full(SIZE, -5.0)
    logits[y : y + height, x : x + width] = 5.0
    return 0, Grounding(name, logits, BOXES[name], torch.zeros(0), torch.zeros(0), score, margin)


def chosen(relation, *candidates):
    return [each.description for _, each in decide(candidates, [relation], [0.0], SIZE)]


@pytest.mark.parametrize(
    ("relation", "name"), [(LEFT, "left"), (RIGHT, "right"), (LARGEST, "large"), (MIDDLE, "large")]
)
def test_of_things_that_fit_the_one_that_is_meant_is_chosen(relation, name):
    assert chosen(relation, *(candidate(each) for each in BOXES)) == [name]


def test_what_fits_far_worse_takes_no_part():
    assert chosen(LEFT, candidate("left", score=0.3), candidate("large"), candidate("right")) == ["large"]


def test_what_is_below_the_margin_takes_no_part():
    assert chosen(LEFT, candidate("left", margin=-0.1), candidate("right")) == ["right"]


def test_a_part_of_a_better_candidate_takes_no_part():
    _, whole = candidate("large")
    half = whole.mask_logits.clone()
    half[:, 90:] = -5.0
    part = Grounding("part", half, (60, 20, 30, 60), torch.zeros(0), torch.zeros(0), 0.7, 0.1)
    assert chosen(LEFT, (0, whole), (0, part)) == ["large"]


def test_without_a_relation_all_that_fit_stay():
    assert chosen(None, candidate("left"), candidate("right", score=0.1)) == ["left", "right"]
