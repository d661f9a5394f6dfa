"""Upstream's predictor on a small video, as its users call it."""

from __future__ import annotations

import cv2
import numpy as np
import torch
from PIL import Image

FRAMES = 20
SHORT = 8
"""Frames where more would say no more: past the seven of memory."""
SIZE = (96, 128)  # H, W
TOKENS = 256
KEEP = 0.16
QUERIES, KEYS = round(KEEP * TOKENS), round(KEEP ** (1 / 3) * TOKENS)
"""What this keep ratio leaves of a frame, and of each memory frame."""
BOX = (20, 20, 70, 80)


def save(folder, frames):
    for index, frame in enumerate(frames):
        Image.fromarray(frame).save(folder / f"{index:05d}.jpg", quality=95)
    return str(folder)


def smooth_noise(seed):
    coarse = np.random.default_rng(seed).integers(0, 256, (9, 16, 3), np.uint8)
    return cv2.resize(coarse, (2 * SIZE[1], 2 * SIZE[0]), interpolation=cv2.INTER_CUBIC)


def mask():
    mask = np.zeros(SIZE, bool)
    mask[40:80, 60:110] = True
    return mask


def by_frame(propagated):
    return {index: (tuple(ids), masks.clone()) for index, ids, masks in propagated}


def session(predictor, video):
    """Two objects; a box with a point, and a mask; a correction and a further prompt on later frames; then backwards."""
    state = predictor.init_state(video)
    predictor.add_new_points_or_box(state, 0, 1, points=[[45, 50]], labels=[1], box=BOX)
    predictor.add_new_mask(state, 0, 2, mask())
    results = [by_frame(predictor.propagate_in_video(state, max_frame_num_to_track=9))]
    predictor.add_new_points_or_box(state, 8, 1, points=[[50, 50], [5, 5]], labels=[1, 0])
    predictor.add_new_points_or_box(state, 12, 2, points=[[80, 60]], labels=[1])
    results.append(by_frame(predictor.propagate_in_video(state, start_frame_idx=8)))
    results.append(by_frame(predictor.propagate_in_video(state, start_frame_idx=12, reverse=True)))
    return results


def track(predictor, video, count=FRAMES - 1, **prompt):
    state = predictor.init_state(video)
    predictor.add_new_points_or_box(state, 0, 1, **(prompt or {"box": BOX}))
    return state, by_frame(predictor.propagate_in_video(state, max_frame_num_to_track=count))


def all_same(a, b):
    return all(same(*pair) for pair in zip(a, b, strict=True))


def same(a, b):
    return a.keys() == b.keys() and all(a[i][0] == b[i][0] and torch.equal(a[i][1], b[i][1]) for i in a)
