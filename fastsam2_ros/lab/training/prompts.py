"""Prompts as a person or the grounding would give them, drawn from true masks. Pixels of the encoder's image."""

from __future__ import annotations

import torch
from torch import Tensor

from fastsam2_ros.streaming.prompts import BOX_FIRST, BOX_SECOND, POSITIVE


def points_in(masks: Tensor, generator: torch.Generator) -> Tensor:
    """One point in each mask, every pixel as likely. bool (rows, h, w) to float32 (rows, 2), x and y; anywhere if empty."""
    flat = masks.flatten(1).float()
    flat = torch.where(flat.sum(1, keepdim=True) > 0, flat, torch.ones_like(flat))
    place = torch.multinomial(flat.cpu(), 1, generator=generator)[:, 0].to(masks.device)
    width = masks.shape[2]
    return torch.stack((place % width, place // width), dim=1).float() + 0.5


def boxes_of(masks: Tensor) -> Tensor:
    """The tight box of each mask: bool (rows, h, w) to float32 (rows, 4), x0 y0 x1 y1; all 0 if empty."""
    sides = []
    for occupied in (masks.any(1), masks.any(2)):  # columns, rows
        count = occupied.shape[1]
        first = occupied.float().argmax(1)
        last = count - occupied.flip(1).float().argmax(1)
        some = occupied.any(1)
        sides.append((first * some, last * some))
    (x0, x1), (y0, y1) = sides
    return torch.stack((x0, y0, x1, y1), dim=1).float()


def jitter(boxes: Tensor, share: float, side: int, generator: torch.Generator) -> Tensor:
    """Move every edge by up to `share` of the box's width or height; inside an image of `side` pixels."""
    extent = (boxes[:, 2:] - boxes[:, :2]).repeat(1, 2)
    moves = torch.rand(boxes.shape, generator=generator).to(boxes.device) * 2 - 1
    return (boxes + moves * share * extent).clamp(0, side)


def point_prompt(masks: Tensor, generator: torch.Generator) -> dict[str, Tensor]:
    """One positive point for each mask, as SAM 2's `point_inputs`."""
    return _inputs(points_in(masks, generator)[:, None], (POSITIVE,))


def box_prompt(masks: Tensor, share: float, with_point: bool, generator: torch.Generator) -> dict[str, Tensor]:
    """A jittered box for each mask, and a point inside where asked for, as the grounding does."""
    boxes = jitter(boxes_of(masks), share, masks.shape[-1], generator)
    corners = boxes.unflatten(1, (2, 2))
    if not with_point:
        return _inputs(corners, (BOX_FIRST, BOX_SECOND))
    inside = points_in(masks, generator)[:, None]
    return _inputs(torch.cat((corners, inside), dim=1), (BOX_FIRST, BOX_SECOND, POSITIVE))


def corrected(
    inputs: dict[str, Tensor], predicted: Tensor, truth: Tensor, generator: torch.Generator
) -> dict[str, Tensor]:
    """The prompt with one more point, where prediction and truth differ: positive if missed, negative if too much.

    Args:
        inputs: SAM 2's `point_inputs`.
        predicted, truth: bool (rows, h, w) at the encoder's image size.
        generator: draws the points.
    """
    wrong = predicted ^ truth
    # Where all is right, one more point in the object (or, if there is none, outside) does no harm.
    right = torch.where(truth.flatten(1).any(1)[:, None, None], truth, ~truth)
    where = torch.where(wrong.flatten(1).any(1)[:, None, None], wrong, right)
    points = points_in(where, generator)
    column, row = points.long().unbind(1)
    labels = truth[torch.arange(len(truth), device=truth.device), row, column].to(torch.int32)
    return {
        "point_coords": torch.cat((inputs["point_coords"], points[:, None]), dim=1),
        "point_labels": torch.cat((inputs["point_labels"], labels[:, None]), dim=1),
    }


def _inputs(points: Tensor, labels: tuple[int, ...]) -> dict[str, Tensor]:
    kinds = torch.tensor(labels, dtype=torch.int32, device=points.device)
    return {"point_coords": points, "point_labels": kinds.expand(len(points), -1)}
