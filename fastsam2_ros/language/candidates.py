"""From a relevance map to prompts that SAM 2 understands, and to masks of its own."""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

from fastsam2_ros.streaming.prompts import BOX_FIRST, BOX_SECOND, PADDING, POSITIVE

Map = npt.NDArray[np.float32]

PEAK_FLOOR = 0.1
"""Peaks below this share of the highest one are noise."""
REGION_LEVEL = 0.5
"""A region is what lies above this share of its peak."""
WIDE_LEVEL, WIDE = 0.2, 3
"""The same for a second, wider region of the highest peaks, and of how many: of a large thing, relevance often knows but the
most telling part.
"""
LARGEST_REGION = 0.95
"""A region that covers more of the frame than this says nothing about where the object is."""


def prompts(
    relevance: Map, size: tuple[int, int], limit: int
) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.int32], npt.NDArray[np.float32]]:
    """Prompts for the peaks of a relevance map: each as a point, and its region as a box with its most inner point.

    Args:
        relevance: float32 (rows, columns) over the whole frame; NaN counts as 0.
        size: (H, W) of the frame, pixels.
        limit: how many peaks are taken.

    Returns:
        points float32 (n, 3, 2), x and y in pixels of the frame, and labels int32 (n, 3) in SAM's convention;
        n is 0 for a map without anything above 0, and at most twice the limit and `WIDE` more. And the regions of the
        boxes, in their order, float32 (boxes, rows, columns), [0, 1], above `REGION_LEVEL` inside.
    """
    relevance = np.nan_to_num(relevance.astype(np.float32), nan=0.0, posinf=0.0, neginf=0.0)
    scale = np.array([size[1] / relevance.shape[1], size[0] / relevance.shape[0]], np.float32)
    points: list[list[tuple[float, float]]] = []
    labels: list[tuple[int, int, int]] = []
    boxes = set()
    regions: list[Map] = []
    for number, (row, column) in enumerate(peaks(relevance, limit)):
        points.append([(column + 0.5, row + 0.5), (0, 0), (0, 0)])
        labels.append((POSITIVE, PADDING, PADDING))
        for level in (REGION_LEVEL, WIDE_LEVEL)[: 2 if number < WIDE else 1]:
            mask = region(relevance, (row, column), level)
            box = cv2.boundingRect(mask)
            if box in boxes or mask.mean() > LARGEST_REGION:
                continue
            boxes.add(box)
            # With its surroundings, so that its edge lies where the relevance falls, not where cells end.
            around = cv2.dilate(mask, np.ones((3, 3), np.uint8)) > 0
            share = relevance / relevance[row, column] * (REGION_LEVEL / level)
            regions.append(np.where(around, np.minimum(share, 1), 0))
            x, y, width, height = box
            inner_row, inner_column = most_inner(mask)
            points.append([(x, y), (x + width, y + height), (inner_column + 0.5, inner_row + 0.5)])
            labels.append((BOX_FIRST, BOX_SECOND, POSITIVE))
    placed = np.array(points, np.float32).reshape(-1, 3, 2) * scale
    soft = np.array(regions, np.float32).reshape(-1, *relevance.shape)
    return placed, np.array(labels, np.int32).reshape(-1, 3), soft


def peaks(relevance: Map, limit: int) -> list[tuple[int, int]]:
    """Rows and columns of the highest local maxima, highest first, no two within 1/16 of the map's longer side."""
    # Slightly smoothed, so that the edge of a plateau is no peak.
    smooth = cv2.GaussianBlur(relevance, (3, 3), 0)
    highest = float(smooth.max())
    if highest <= 0:
        return []
    is_peak = (smooth >= cv2.dilate(smooth, np.ones((3, 3), np.uint8))) & (smooth > PEAK_FLOOR * highest)
    rows, columns = np.nonzero(is_peak)
    apart = max(relevance.shape) / 16
    chosen: list[tuple[int, int]] = []
    for index in np.argsort(-smooth[rows, columns], kind="stable"):
        place = int(rows[index]), int(columns[index])
        if all(max(abs(place[0] - r), abs(place[1] - c)) > apart for r, c in chosen):
            chosen.append(place)
            if len(chosen) == limit:
                break
    return chosen


def region(relevance: Map, peak: tuple[int, int], level: float = REGION_LEVEL) -> npt.NDArray[np.uint8]:
    """uint8 (rows, columns), 0 or 1: what hangs together with the peak above `level` of its height; the peak at least."""
    above = (relevance >= level * relevance[peak]).astype(np.uint8)
    _, labels = cv2.connectedComponents(above, connectivity=4)
    return (labels == labels[peak]).astype(np.uint8)


def most_inner(mask: npt.NDArray[np.uint8]) -> tuple[int, int]:
    """Row and column farthest from the mask's edge; the frame's border counts as an edge."""
    distance = cv2.distanceTransform(cv2.copyMakeBorder(mask, 1, 1, 1, 1, cv2.BORDER_CONSTANT), cv2.DIST_L2, 3)
    row, column = np.unravel_index(int(distance.argmax()), distance.shape)
    return int(row) - 1, int(column) - 1
