import pytest
import torch

from fastsam2_ros.language import scoring


def mask(top, left, height, width, size=32, level=8.0):
    logits = torch.full((size, size), -8.0)
    logits[top : top + height, left : left + width] = level
    return logits


RELEVANCE = torch.zeros(16, 16)
RELEVANCE[4:8, 4:8] = 0.6


def score(*masks, iou=None):
    iou = torch.ones(len(masks)) if iou is None else torch.tensor(iou)
    return scoring.quality(torch.stack(masks), iou, RELEVANCE)


def test_the_mask_that_fills_the_relevant_place_beats_parts_and_more():
    exact, part, more = score(mask(8, 8, 8, 8), mask(8, 8, 4, 4), mask(4, 4, 20, 20)).score
    assert exact == pytest.approx(1.0)
    assert part < 0.9
    assert more < 0.9


def test_a_mask_elsewhere_has_no_score():
    assert score(mask(24, 24, 4, 4)).score[0] == 0


def test_a_half_of_the_relevant_place_has_the_root_of_half_the_score():
    assert score(mask(8, 8, 8, 4)).score[0] == pytest.approx(0.5**0.5)


def test_overlap_is_with_relevance_as_a_share_of_the_highest():
    weak = scoring.quality(mask(8, 8, 8, 8)[None], torch.ones(1), 0.01 * RELEVANCE)
    assert weak.score[0] == pytest.approx(1.0, abs=1e-3)


@pytest.mark.parametrize(("iou", "expected"), [(0.5, 0.5), (-3.0, 0.0), (7.0, 1.0), (float("nan"), 0.0)])
def test_predicted_iou_is_a_factor_within_bounds(iou, expected):
    assert score(mask(8, 8, 8, 8), iou=[iou]).score[0] == pytest.approx(expected)


@pytest.mark.parametrize(
    "logits",
    [torch.full((32, 32), -8.0), torch.full((32, 32), 8.0), mask(0, 0, 32, 31), mask(8, 8, 8, 8, level=float("nan"))],
)
def test_empty_nearly_full_and_not_finite_masks_are_not_usable(logits):
    quality = score(logits)
    assert not quality.usable[0]
    assert torch.isfinite(quality.score).all()


def test_the_same_mask_is_kept_once():
    masks = torch.stack((mask(8, 8, 8, 8), mask(8, 8, 8, 9), mask(8, 8, 4, 4), mask(20, 20, 4, 4)))
    assert scoring.distinct(masks, [0, 1, 2, 3], limit=4) == [0, 2, 3]


def test_the_limit_keeps_the_first_masks():
    masks = torch.stack((mask(0, 0, 4, 4), mask(8, 8, 4, 4), mask(20, 20, 4, 4)))
    assert scoring.distinct(masks, [2, 0, 1], limit=2) == [2, 0]


def test_a_masks_box_is_in_pixels_of_the_frame():
    assert scoring.mask_box(mask(8, 4, 2, 6), size=(64, 320)) == (40, 16, 60, 4)


def test_empty_masks_have_nothing_in_common():
    empty = torch.full((4, 4), -1.0)
    assert scoring.mask_iou(empty, empty) == 0
    assert scoring.mask_overlap(empty, empty) == 0


def test_a_part_overlaps_its_whole_entirely():
    assert scoring.mask_overlap(mask(8, 8, 8, 8), mask(8, 8, 2, 4)) == 1
    assert scoring.mask_overlap(mask(8, 8, 2, 4), mask(9, 8, 8, 8)) == 0.5


def test_a_mask_on_two_places_has_two_parts():
    both = torch.maximum(mask(2, 2, 10, 8), mask(2, 20, 10, 6))
    parts = scoring.parts_apart(both)
    assert scoring.mask_iou(parts[0], mask(2, 2, 10, 8)) == scoring.mask_iou(parts[1], mask(2, 20, 10, 6)) == 1


@pytest.mark.parametrize(
    "single",
    [mask(2, 2, 10, 8), torch.maximum(mask(2, 2, 10, 8), mask(20, 20, 3, 3)), mask(0, 0, 0, 0)],
    ids=["one piece", "a small part beside", "empty"],
)
def test_a_mask_on_one_place_has_none(single):
    assert scoring.parts_apart(single) == []
