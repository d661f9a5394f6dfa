from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from fastsam2_ros.config import TrackerConfig
from fastsam2_ros.errors import InputError
from fastsam2_ros.lab.evaluation import ours
from fastsam2_ros.lab.evaluation.datasets import open_dataset
from fastsam2_ros.lab.evaluation.ours import DESCRIPTION, FIRST_MASK, Ours, Steps
from fastsam2_ros.results import TrackedObject, TrackResult, TrackState

from .footage import ids, square, write_davis


class FakeTracker:
    """Keeps masks where they were given; finds "left thing" in a square at the left, and all other texts nowhere."""

    def __init__(self) -> None:
        self.targets: list[tuple[str, np.ndarray]] = []
        self.calls: list[str] = []
        self.stamps: list[int] = []

    def set_mask(self, mask: np.ndarray, description: str) -> None:
        self.calls.append(description)
        self.targets.append((description, mask))

    def set_target(self, text: str) -> None:
        self.calls.append(text)
        nothing = np.zeros((24, 32), bool)
        self.targets = [(part, square(0) if part == "left thing" else nothing) for part in text.split(";")]

    def step(self, frame: np.ndarray, stamp_ns: int) -> TrackResult:
        self.stamps.append(stamp_ns)
        # Ids start beyond those of the data set, so that a mix-up shows.
        objects = tuple(
            TrackedObject(10 + i, text, TrackState.TRACKING, 0.5, None, None, int(mask.sum()), mask)
            for i, (text, mask) in enumerate(self.targets)
        )
        return TrackResult(stamp_ns, (24, 32), len(self.stamps), objects, 0.25, 0.5, 8, 16, {"encode": 0.1}, (), True)


@pytest.fixture
def tracker(monkeypatch: pytest.MonkeyPatch) -> FakeTracker:
    fake = FakeTracker()
    monkeypatch.setattr(ours, "new_tracker", lambda config, targets: fake)
    return fake


@pytest.fixture
def sequence(tmp_path: Path):
    """Object 7 in the first frame, object 2 from the third on."""
    write_davis(tmp_path, {"a": [ids(o7=0), ids(o7=0), ids(o7=0, o2=20), ids(o7=0, o2=20)]})
    return open_dataset(tmp_path).open("a")


def test_each_object_is_given_in_its_first_frame(tracker, sequence) -> None:
    labels = list(Ours(TrackerConfig(), FIRST_MASK).predict(sequence))
    np.testing.assert_array_equal(labels[1], ids(o7=0))
    np.testing.assert_array_equal(labels[3], ids(o7=0, o2=20))
    assert tracker.stamps == list(sequence.stamps_ns)


def test_by_description_only_texts_are_given(tracker, sequence) -> None:
    described = replace(sequence, descriptions={2: "right; thing", 7: "left thing"})
    labels = list(Ours(TrackerConfig(), DESCRIPTION).predict(described))
    assert tracker.calls == ["right, thing;left thing"]
    np.testing.assert_array_equal(labels[0], ids(o7=0))


def test_a_description_of_several_objects_is_the_first_ones(tracker, sequence) -> None:
    described = replace(sequence, descriptions={2: "left thing", 7: "left  thing"})

    def once(text: str) -> None:
        tracker.targets = [("left thing", square(0))]

    tracker.set_target = once
    labels = next(Ours(TrackerConfig(), DESCRIPTION).predict(described))
    np.testing.assert_array_equal(labels, ids(o2=0))


def test_without_descriptions_it_says_how_to_write_them(tracker, sequence) -> None:
    with pytest.raises(InputError, match=r"descriptions\.json"):
        next(Ours(TrackerConfig(), DESCRIPTION).predict(sequence))


def test_what_is_described_but_has_no_mask_is_not_asked_for(tracker, sequence) -> None:
    described = replace(sequence, descriptions={7: "left thing", 9: "a ghost"})
    next(Ours(TrackerConfig(), DESCRIPTION).predict(described))
    assert tracker.calls == ["left thing"]


def test_absent_things_are_asked_for_one_by_one(tracker, sequence) -> None:
    ours = Ours(TrackerConfig(), DESCRIPTION)
    assert ours.found(sequence, ["red mug", "left thing"]) == {"red mug": False, "left thing": True}
    assert tracker.calls == ["red mug", "left thing"]


def test_what_each_step_took_is_kept(tracker, sequence) -> None:
    steps = Steps()
    list(Ours(TrackerConfig(), FIRST_MASK).predict(sequence, steps))
    assert (steps.keep_ratio, steps.tokens, steps.tokens_total) == ([0.5] * 4, [8] * 4, 16)
    assert (steps.motion, steps.seconds, steps.untrained) == ([0.25] * 4, [0.1] * 4, True)
