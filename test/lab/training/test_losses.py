"""SAM 2's losses against values worked out by hand."""

from __future__ import annotations

import math

import pytest
import torch

from fastsam2_ros.lab.training.losses import DICE_WEIGHT, FOCAL_WEIGHT, dice, focal, frame_losses, mask_iou


def test_focal_of_one_undecided_pixel():
    # p = 1/2: alpha 1/4 for a true pixel, (1 - p)^2 = 1/4, cross entropy ln 2
    assert focal(torch.zeros(1, 1, 1, 1), torch.ones(1, 1, 1, 1)).item() == pytest.approx(math.log(2) / 16)


def test_focal_weighs_false_pixels_three_times_as_much():
    assert focal(torch.zeros(1, 1, 1, 1), torch.zeros(1, 1, 1, 1)).item() == pytest.approx(3 * math.log(2) / 16)


def test_focal_of_a_sure_right_pixel_is_nothing():
    assert focal(torch.full((1, 1, 1, 1), 20.0), torch.ones(1, 1, 1, 1)).item() < 1e-9


def test_dice_of_half_probabilities():
    # four pixels of 1/2, two of them true: 1 - (2 * 1 + 1) / (2 + 2 + 1)
    truth = torch.tensor([[1.0, 1.0], [0.0, 0.0]])[None, None]
    assert dice(torch.zeros(1, 1, 2, 2), truth).item() == pytest.approx(0.4)


@pytest.mark.parametrize(
    ("predicted", "truth", "expected"),
    [
        ([1, 1, 0, 0], [1, 1, 0, 0], 1.0),
        ([1, 1, 0, 0], [0, 1, 1, 0], 1 / 3),
        ([0] * 4, [0] * 4, 1.0),
        ([1] * 4, [0] * 4, 0.0),
    ],
)
def test_mask_iou(predicted, truth, expected):
    logits = torch.tensor(predicted).float().view(1, 2, 2) * 2 - 1
    assert mask_iou(logits, torch.tensor(truth).float().view(1, 2, 2)).item() == pytest.approx(expected)


def three_masks():
    """One row, three masks of 2 x 2 pixels, of which the middle one is right; every mask's true IoU is 0, 1, 1/2."""
    truth = torch.tensor([[1.0, 1.0], [0.0, 0.0]])[None]
    wrong, right, half = -5 * (2 * truth - 1), 5 * (2 * truth - 1), torch.tensor([[[5.0, -5.0], [-5.0, -5.0]]])
    return torch.stack((wrong, right, half), dim=1).requires_grad_(), truth


def test_only_the_best_mask_is_corrected():
    logits, truth = three_masks()
    losses = frame_losses(logits, torch.full((1, 3), 0.5), torch.zeros(1), truth, torch.tensor([True]))
    (FOCAL_WEIGHT * losses.focal + DICE_WEIGHT * losses.dice).backward()
    moved = logits.grad[0].abs().sum((1, 2)) > 0
    assert moved.tolist() == [False, True, False]


def test_every_mask_learns_its_own_iou():
    logits, truth = three_masks()
    predicted = torch.tensor([[0.5, 0.5, 0.9]], requires_grad=True)
    losses = frame_losses(logits, predicted, torch.zeros(1), truth, torch.tensor([True]))
    losses.iou.backward()
    assert losses.iou.item() == pytest.approx((0.5 + 0.5 + 0.4) / 3)
    assert (predicted.grad != 0).all()


def test_an_absent_target_has_a_loss_of_its_score_alone():
    logits, truth = three_masks()
    losses = frame_losses(logits, torch.full((1, 3), 0.5), torch.zeros(1), 0 * truth, torch.tensor([False]))
    assert losses.total().item() == pytest.approx(math.log(2))
    assert (losses.focal, losses.dice, losses.iou) == (0, 0, 0)


def test_losses_of_frames_add_up_to_a_mean_over_visible_rows():
    logits, truth = three_masks()
    args = (torch.full((1, 3), 0.5), torch.zeros(1), truth)
    seen = frame_losses(logits, *args, torch.tensor([True]))
    unseen = frame_losses(logits, *args, torch.tensor([False]))
    assert (seen + unseen + seen).total().item() == pytest.approx(seen.total().item(), rel=1e-6)
