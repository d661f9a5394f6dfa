"""A CLIP that knows colours, and a SAM 2 that finds blobs of one colour: what grounding has to make of them is known."""

from __future__ import annotations

from dataclasses import dataclass
from types import SimpleNamespace

import cv2
import numpy as np
import torch
import torch.nn.functional as F

from fastsam2_ros.language.clip import Clip
from fastsam2_ros.language.vocabulary import TEMPLATES

GRAY = (100, 100, 100)
COLOURS = {"red": (220, 30, 30), "green": (30, 200, 30), "blue": (30, 30, 220), "black": (0, 0, 0)}
GRID = (16, 16)


def scene(size=(120, 160), **blobs):
    """uint8 (H, W, 3): gray, with a filled rectangle (x, y, w, h) for each colour."""
    frame = np.full((*size, 3), GRAY, np.uint8)
    for colour, (x, y, w, h) in blobs.items():
        frame[y : y + h, x : x + w] = COLOURS[colour]
    return frame


def crops_of(frame, boxes, side):
    """float32 (n, 3, side, side), [0, 1]: what a `Clip` shows its model of boxes of a frame."""
    shown = []
    model = SimpleNamespace(logit_scale=torch.zeros(()), visual=SimpleNamespace(image_size=side))
    model.to = lambda device: model
    model.encode_image = lambda crops: shown.append(crops) or torch.ones(len(crops), 1)
    plain = {"image_size": side, "mean": (0.0, 0.0, 0.0), "std": (1.0, 1.0, 1.0)}
    Clip(model, None, device=torch.device("cpu"), untrained=True, **plain).embed_crops(frame, boxes)
    return torch.cat(shown)


class ColourClip:
    """Vectors are colours less gray, plus a constant for gray itself; a text's vector is that of the colour it names."""

    logit_scale = 20.0

    def embed_texts(self, descriptions, templates=TEMPLATES, *, keep=True):
        known = {name: self._vector(np.array([[rgb]], np.uint8))[:, 0, 0] for name, rgb in COLOURS.items()}
        gray = self._vector(np.array([[GRAY]], np.uint8))[:, 0, 0]
        rows = [next((v for name, v in known.items() if name in text), gray) for text in descriptions]
        return torch.stack(rows) if rows else torch.zeros(0, 4)

    def dense_features(self, frame):
        small = cv2.resize(frame, (20, 15), interpolation=cv2.INTER_AREA)
        return self._vector(small)

    def embed_crops(self, frame, boxes, masks=None):
        rows = []
        for x, y, w, h in boxes:
            part = frame[int(y) : int(np.ceil(y + h)), int(x) : int(np.ceil(x + w))]
            rows.append(self._vector(part.mean((0, 1))[None, None])[:, 0, 0])
        return torch.stack(rows)

    @staticmethod
    def _vector(pixels):
        colour = (torch.from_numpy(np.asarray(pixels, np.float32)) - torch.tensor(GRAY)) / 100
        return F.normalize(F.pad(colour, (0, 1), value=0.3), dim=-1).permute(2, 0, 1)


@dataclass
class ColourFeatures:
    """Tokens are the mean colours of the frame's cells."""

    frame: np.ndarray
    grid: tuple[int, int] = GRID

    @property
    def tokens(self):
        small = cv2.resize(self.frame, self.grid[::-1], interpolation=cv2.INTER_AREA)
        return torch.from_numpy(small.reshape(-1, 3)).float()


class ColourSegmenter:
    """Three masks for a prompt: the blob at the positive point, its upper half, and everything."""

    def __init__(self):
        self.calls = []

    def segment(self, features, points, labels, size):
        assert size == features.frame.shape[:2]
        self.calls.append(len(points))
        frame = features.frame.astype(int)
        logits = torch.full((len(points), 3, 64, 64), -8.0)
        for i, (xy, label) in enumerate(zip(points, labels, strict=True)):
            x, y = xy[int((label == 1).nonzero()[0])].int().tolist()
            same = (abs(frame - frame[y, x]).sum(2) < 30).astype(np.uint8)
            _, components = cv2.connectedComponents(same)
            blob = (components == components[y, x]).astype(np.uint8)
            half = blob.copy()
            half[int(np.nonzero(blob)[0].mean()) :] = 0
            for channel, mask in enumerate((blob, half, np.ones_like(blob))):
                logits[i, channel][torch.from_numpy(cv2.resize(mask, (64, 64))) > 0] = 8.0
        return logits, torch.tensor([0.9, 0.8, 0.95]).repeat(len(points), 1)
