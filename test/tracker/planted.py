"""A language model that finds what a test plants, and a SAM 2 that sees nothing."""

from __future__ import annotations

import torch

from fastsam2_ros import finding
from fastsam2_ros.config import LanguageConfig, PruningConfig, TrackerConfig
from fastsam2_ros.language.grounding import Grounding
from fastsam2_ros.language.search import NONE, TextSearch
from fastsam2_ros.streaming.loading import LoadedSam2
from fastsam2_ros.tracker import TextTracker

SIZE = (120, 160)
BOX = (30.0, 20.0, 60.0, 50.0)
STEP = 100_000_000


class PlantedSearch(TextSearch):
    """Finds the descriptions in `present`, each always in a place of its own; counts the searches."""

    def __init__(self, *present: str) -> None:
        super().__init__(LanguageConfig(name=NONE), torch.device("cpu"))
        self.config = LanguageConfig()
        self.present = set(present)
        self.searched: list[list[str]] = []
        self.places: dict[str, int] = {}

    def require(self) -> None:
        pass

    def search(self, frame, features, wanted, segmenter, config, dense=None, others=()):
        descriptions = [each.description for each in wanted]
        self.searched.append(descriptions)
        return [self.found(each, features.tokens.device) if each in self.present else None for each in descriptions]

    def found(self, description, device):
        left = 4 + 28 * self.places.setdefault(description, len(self.places))
        logits = torch.full((64, 64), -5.0, device=device)
        logits[16:40, left : left + 24] = 5.0
        nothing = torch.zeros(0)
        box = tuple(
            side / 64 * pixels for side, pixels in zip((left, 16, 24, 24), (*SIZE[::-1], *SIZE[::-1]), strict=True)
        )
        return Grounding(description, logits, box, nothing, nothing, 0.8, 0.1)


def hide(sam, monkeypatch):
    """From now on the model judges every target to be absent, and nothing looks like one."""
    decode = sam.decode

    def nothing(features, conditioned):
        decoded = decode(features, conditioned)
        absent = torch.full_like(decoded.low_res, -1024.0)
        return type(decoded)(
            absent, decoded.high_res, decoded.predicted_iou, decoded.object_score * 0 - 9, decoded.pointer
        )

    monkeypatch.setattr(sam, "decode", nothing)
    monkeypatch.setattr(finding, "find_by_look", lambda *_: None)


def built(sam, search, *present: str, pruning: PruningConfig | None = None, **settings) -> TextTracker:
    """A tracker that finds these descriptions, among others that the search knows already."""
    search.present.update(present)
    config = TrackerConfig(pruning=pruning or PruningConfig(), **settings)
    return TextTracker(LoadedSam2(sam, untrained=True), search, config)


def steps(tracker, video, count, first=0):
    return [tracker.step(video[n % len(video)], n * STEP) for n in range(first, first + count)]
