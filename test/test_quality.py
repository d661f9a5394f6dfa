"""What ships tracks and finds: fixed sequences that no training has seen, and faults that must be noticed."""

from __future__ import annotations

from collections.abc import Collection
from functools import cache
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image

from fastsam2_ros import prune
from fastsam2_ros.config import LanguageConfig, ModelConfig, PruningConfig, TrackerConfig
from fastsam2_ros.lab.evaluation.metrics import region_similarity
from fastsam2_ros.lab.evaluation.upstream import load_predictor
from fastsam2_ros.lab.evaluation.worlds import CloseUpDataset
from fastsam2_ros.lab.synthetic.world import HELD_OUT_SEED, LEVELS, WorldSequence, generate
from fastsam2_ros.streaming.memory import TargetMemory
from fastsam2_ros.tracker import TextTracker

TRACKED = tuple((number, LEVELS[number % len(LEVELS)]) for number in range(9))
"""Number and level of difficulty of what is tracked from its first mask: the first of the held-out sequences."""
FOUND = tuple((number, LEVELS[number % len(LEVELS)]) for number in range(12))
"""Of what is found by its description."""
FRAMES, STRIDE = 10, 3
ENOUGH = 0.773
"""Mean J over all sequences. What ships has .802 with every token and .791 by the budget: a loss of .03 is noticed."""
NAMES = {"blackswan": "black swan", "camel": "camel", "car-shadow": "car", "dog": "dog"}
REAL_FILES = (("JPEGImages", "jpg"), ("Annotations", "png"))
REAL_FRAMES = range(0, 40, 5)
REAL_ENOUGH = 0.846
"""Mean J over the real sequences by the budget: what ships has .871."""


@cache
def world(number: int, level: int) -> WorldSequence:
    return generate(HELD_OUT_SEED + number, level, FRAMES, (288, 384), STRIDE)


@cache
def tracker(keep_ratio: float = 1.0, language: str = "none") -> TextTracker:
    return TextTracker.from_config(
        TrackerConfig(
            model=ModelConfig(device="cpu"),
            pruning=PruningConfig(keep_ratio=keep_ratio),
            language=LanguageConfig(name=language),
        )
    )


def mean_j(keep_ratio: float = 1.0, move: int = 0) -> float:
    """Mean J of the target after its first mask is given; `move` shifts every answer by so many pixels."""
    scores = []
    for number, level in TRACKED:
        sequence, tracking = world(number, level), tracker(keep_ratio)
        tracking.reset()
        tracking.set_mask(sequence.ids[0] == sequence.target)
        for index, (frame, stamp) in enumerate(zip(sequence.frames, sequence.stamps_ns.tolist(), strict=True)):
            (found,) = tracking.step(frame, stamp).objects
            if index:
                truth = sequence.ids[index] == sequence.target
                scores.append(region_similarity(truth, np.roll(found.mask, move, axis=1)))
    return float(np.mean(scores))


def test_what_ships_tracks() -> None:
    assert mean_j() > ENOUGH


def test_what_ships_tracks_by_the_budget() -> None:
    assert mean_j(keep_ratio=0.0) > ENOUGH


@pytest.mark.parametrize("number", [1, 3])
def test_a_target_that_fills_much_of_the_frame_keeps_its_mask(number: int) -> None:
    dataset = CloseUpDataset()
    sequence = dataset.open(dataset.names[number], max_frames=8)
    scores = {}
    for keep_ratio in (0.0, 1.0):  # by the budget, and dense
        tracking = tracker(keep_ratio)
        tracking.reset()
        (target,) = sequence.first
        tracking.set_mask(sequence.footage.truth(0).masks[target])
        found = [
            tracking.step(sequence.footage.frame(index), stamp).objects[0].mask
            for index, stamp in enumerate(sequence.stamps_ns)
        ]
        scores[keep_ratio] = region_similarity(sequence.footage.truth(7).masks[target], found[-1])
    assert scores[0.0] > scores[1.0] - 0.02


@pytest.mark.parametrize("described", [False, True])
def test_what_ships_tracks_in_upstreams_pruned_predictor(tmp_path: Path, described: bool) -> None:
    scores = []
    predictor = load_predictor(ModelConfig(device="cpu"))
    for number, level in TRACKED:
        sequence, folder = world(number, level), tmp_path / f"{number}"
        folder.mkdir()
        for index, frame in enumerate(sequence.frames):
            Image.fromarray(frame).save(folder / f"{index}.jpg", quality=95)
        prune(predictor, sequence.description if described else None, language=LanguageConfig(name="mini"))
        state = predictor.init_state(str(folder))
        predictor.add_new_mask(state, 0, 1, sequence.ids[0] == sequence.target)
        for index, _, logits in predictor.propagate_in_video(state):
            if index:
                found = (logits[0, 0] > 0).numpy()
                scores.append(region_similarity(sequence.ids[index] == sequence.target, found))
    assert np.mean(scores) > ENOUGH


def test_a_shifted_mask_would_be_noticed() -> None:
    """By two of 384 pixels, which costs .03."""
    assert mean_j(move=2) < ENOUGH


def test_a_broken_memory_would_be_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the frames since the prompt, what has moved and turned is not recognised."""
    monkeypatch.setattr(TargetMemory, "add", lambda *_: None)
    assert mean_j() < ENOUGH


def found(text: str, frame: npt.NDArray[np.uint8]) -> npt.NDArray[np.bool_]:
    tracking = tracker(language="mini")
    tracking.reset()
    tracking.set_target(text)
    (target,) = tracking.step(frame, 0).objects
    return target.mask


def founds(swapped: bool = False, colours: Collection[str] = ()) -> int:
    """How many of `FOUND` are found by their descriptions, red and blue swapped or not; with one of some colours, if any."""
    count = 0
    for number, level in FOUND:
        sequence = world(number, level)
        if colours and not set(sequence.description.split()) & set(colours):
            continue
        frame = np.ascontiguousarray(sequence.frames[0][..., ::-1] if swapped else sequence.frames[0])
        count += region_similarity(sequence.ids[0] == sequence.target, found(sequence.description, frame)) > 0.5
    return count


def test_what_ships_finds_what_is_described() -> None:
    assert founds() >= 8  # of 12; 9 when this was written


def test_swapped_colours_are_noticed() -> None:
    changed = ("red", "orange", "yellow", "blue")
    assert founds(colours=changed) >= 3  # of 5; 4 when this was written
    assert founds(swapped=True, colours=changed) <= 1  # none when this was written


def test_what_is_not_there_is_not_found() -> None:
    wrong = [found(world(*each).absent[0], world(*each).frames[0]).any() for each in FOUND]
    assert sum(wrong) <= 1


def real(shared: Path, name: str, index: int) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.bool_]]:
    """Frame and mask of a real sequence, which is not part of the project."""
    (image,), (mask,) = (
        (shared / "davis").rglob(f"{folder}/**/{name}/{index:05}.{kind}") for folder, kind in REAL_FILES
    )
    return np.array(Image.open(image).convert("RGB")), np.array(Image.open(mask).convert("L")) > 0


def test_what_ships_tracks_real_things(shared: Path) -> None:
    scores, tracking = [], tracker(0.0)
    for name in NAMES:
        tracking.reset()
        for index in REAL_FRAMES:
            frame, truth = real(shared, name, index)
            if index == 0:
                tracking.set_mask(truth)
            (target,) = tracking.step(frame, index * 33_000_000).objects
            if index:
                scores.append(region_similarity(truth, target.mask))
    assert np.mean(scores) > REAL_ENOUGH


def test_what_ships_finds_real_things_by_their_names(shared: Path) -> None:
    count = 0
    for name, text in NAMES.items():
        frame, truth = real(shared, name, 0)
        count += region_similarity(truth, found(text, frame)) > 0.5
    assert count >= 3  # 4 when this was written
