"""Photographs that the tests draw, in the layout of real ones."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
from PIL import Image

RED, BLUE = (220, 30, 30), (30, 30, 220)


def write_photograph(folder: Path, name: str, objects: dict[int, str]) -> tuple[np.ndarray, np.ndarray]:
    """A red square and a blue disc on noise, with numbers 1 and 2: the image, uint8 (120, 160, 3), and the numbers."""
    image = np.random.default_rng(len(name)).integers(90, 140, (120, 160, 3), np.uint8)
    ids = np.zeros((120, 160), np.uint8)
    cv2.rectangle(ids, (20, 30), (75, 85), 1, -1)
    cv2.circle(ids, (115, 60), 28, 2, -1)
    image[ids == 1], image[ids == 2] = RED, BLUE
    for part in ("images", "masks"):
        (folder / part).mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(folder / "images" / f"{name}.jpg"), image[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, 98])
    Image.fromarray(ids).save(folder / "masks" / f"{name}.png")
    listed = folder / "objects.json"
    known = json.loads(listed.read_text("utf-8")) if listed.exists() else {}
    known[name] = {"licence": 4, "objects": {str(number): text for number, text in objects.items()}}
    listed.write_text(json.dumps(known), "utf-8")
    return image, ids


def write_real(folder: Path) -> Path:
    """A folder with `train` and `val`, a few photographs in each."""
    for part in ("train", "val"):
        for number in range(3):
            write_photograph(folder / part / "stills" / "drawn", f"{part}{number}", {1: "box", 2: "ball"})
    return folder
