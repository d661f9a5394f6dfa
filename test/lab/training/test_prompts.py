"""Prompts that are drawn from true masks."""

from __future__ import annotations

import pytest
import torch

from fastsam2_ros.lab.training import prompts


@pytest.fixture
def generator():
    return torch.Generator().manual_seed(0)


def rectangles():
    masks = torch.zeros(2, 32, 32, dtype=torch.bool)
    masks[0, 4:10, 6:20] = True
    masks[1, 31, 0] = True
    return masks


def test_boxes_are_tight():
    assert prompts.boxes_of(rectangles()).tolist() == [[6, 4, 20, 10], [0, 31, 1, 32]]


def test_an_empty_mask_has_an_empty_box():
    assert prompts.boxes_of(torch.zeros(1, 8, 8, dtype=torch.bool)).tolist() == [[0, 0, 0, 0]]


def test_points_lie_in_their_masks(generator):
    masks = rectangles()
    for _ in range(20):
        columns, rows = prompts.points_in(masks, generator).long().unbind(1)
        assert masks[torch.arange(2), rows, columns].all()


def test_jittered_edges_stay_within_their_share(generator):
    boxes = torch.tensor([[100.0, 100.0, 200.0, 140.0]]).repeat(200, 1)
    moved = (prompts.jitter(boxes, 0.1, 512, generator) - boxes).abs().amax(0)
    assert (moved <= torch.tensor([10.0, 4.0, 10.0, 4.0])).all()
    assert (moved > torch.tensor([8.0, 3.0, 8.0, 3.0])).all()


def test_a_region_is_a_box_with_a_point_inside(generator):
    given = prompts.box_prompt(rectangles(), 0.3, True, generator)
    assert given["point_coords"].shape == (2, 3, 2)
    assert given["point_labels"].tolist() == [[2, 3, 1], [2, 3, 1]]


@pytest.mark.parametrize(("predicted", "label"), [(torch.zeros, 1), (torch.ones, 0)])
def test_a_correction_is_positive_where_it_was_missed_and_negative_where_it_was_too_much(predicted, label, generator):
    masks = rectangles()
    given = prompts.point_prompt(masks, generator)
    after = prompts.corrected(given, predicted(masks.shape, dtype=torch.bool), masks, generator)
    assert after["point_labels"].tolist() == [[1, label]] * 2
