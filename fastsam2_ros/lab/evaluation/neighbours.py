"""The first mask carried on by nearest neighbours among a trunk's features, without any memory: hard to beat.

As in "Space-Time Correspondence as a Contrastive Random Walk" (arXiv 2006.14613) and many after it: a place takes what the
places most like it had, in the first frame and in the last few, no farther away than an object moves.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from fastsam2_ros.config import ModelConfig
from fastsam2_ros.lab.evaluation.baselines import starting
from fastsam2_ros.lab.evaluation.labels import Labels
from fastsam2_ros.lab.evaluation.ours import load
from fastsam2_ros.lab.evaluation.sequences import VideoSequence
from fastsam2_ros.streaming.picture import Preparation

RECENT, WINDOW, NEIGHBOURS, TEMPERATURE = 5, 8, 7, 0.07
"""Frames before this one that are looked at beside the first; how far, in tokens; how many places; and of their softmax."""


@dataclass(frozen=True)
class NearestNeighbours:
    """With the features at stride 16 of a SAM 2 model's trunk.

    Attributes:
        model: whose trunk.
    """

    model: ModelConfig
    name: str = "nearest neighbours"

    def predict(self, sequence: VideoSequence) -> Iterator[Labels]:
        """Labels of each frame, int32 (H, W).

        Raises:
            ModelError: weights cannot be had.
        """
        sam = load(self.model).streaming
        far = _far(sam.grid, sam.device)
        prepare = Preparation(sam.model.image_size, sam.device)
        objects: list[int] = []
        memory: deque[tuple[Tensor, Tensor]] = deque(maxlen=RECENT)
        first: list[
            tuple[Tensor, Tensor]
        ] = []  # features (N, C), shares of the background and of each object (N, 1 + n)
        for index in range(len(sequence)):
            frame = sequence.footage.frame(index)
            with torch.inference_mode():
                middle = sam.model.image_encoder.trunk(prepare(frame)[1])[2]
            features = F.normalize(middle.float().flatten(2)[0].T, dim=-1)
            shares = _carried(features, [*first, *memory], far) if first else torch.zeros(0, 0)
            given = starting(sequence, index)
            if given:
                objects, shares = _with_masks(objects, shares, given, sam.grid)
                first = [(known, _padded(each, len(objects) + 1)) for known, each in first] + [(features, shares)]
                memory = deque(((known, _padded(each, len(objects) + 1)) for known, each in memory), RECENT)
            if not objects:
                yield np.zeros(frame.shape[:2], np.int32)
                continue
            if not given:
                memory.append((features, shares))
            yield _labels(shares, objects, sam.grid, (frame.shape[0], frame.shape[1]))


def _far(grid: tuple[int, int], device: torch.device) -> Tensor:
    """bool (N, N): farther apart than the window."""
    row, column = torch.meshgrid(*(torch.arange(n, device=device) for n in grid), indexing="ij")
    place = torch.stack((row.flatten(), column.flatten()), dim=1)
    return (place[:, None] - place[None]).abs().amax(-1) > WINDOW


def _carried(features: Tensor, memory: list[tuple[Tensor, Tensor]], far: Tensor) -> Tensor:
    """(N, 1 + n)."""
    likeness = torch.cat([(features @ known.T).masked_fill(far, -torch.inf) for known, _ in memory], dim=1)
    best, place = likeness.topk(NEIGHBOURS, dim=1)
    weight = (best / TEMPERATURE).softmax(1)
    return (weight[..., None] * torch.cat([shares for _, shares in memory])[place]).sum(1)


def _with_masks(
    objects: list[int], shares: Tensor, given: dict[int, np.ndarray], grid: tuple[int, int]
) -> tuple[list[int], Tensor]:
    """New objects' columns, and the background less of them."""
    objects = objects + [number for number in given if number not in objects]
    count = grid[0] * grid[1]
    wide = torch.zeros(count, len(objects) + 1)
    wide[:, 0] = 1
    if shares.numel():
        wide[:, : shares.shape[1]] = shares
    for number, mask in given.items():
        covered = F.adaptive_avg_pool2d(torch.from_numpy(mask).float()[None, None], grid).flatten()
        wide *= 1 - covered[:, None]
        wide[:, 1 + objects.index(number)] = covered
    return objects, wide


def _padded(shares: Tensor, columns: int) -> Tensor:
    return F.pad(shares, (0, columns - shares.shape[1]))


def _labels(shares: Tensor, objects: list[int], grid: tuple[int, int], size: tuple[int, int]) -> Labels:
    fine = F.interpolate(shares.T.unflatten(1, grid)[None], size, mode="bilinear", align_corners=False)[0]
    return np.array([0, *objects], np.int32)[fine.argmax(0).cpu().numpy()]
