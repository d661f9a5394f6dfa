"""The bag that is replayed."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from fastsam2_ros.bags.frames import Frame, FrameSource
from fastsam2_ros.errors import BagError
from fastsam2_ros.lab.demo.command import add_arguments
from fastsam2_ros.lab.demo.footage import generated, scene, shortened

SIZE = (96, 72)


class Source(FrameSource):
    """Grey frames of 64 x 48 pixels at these stamps, milliseconds."""

    def __init__(self, stamps: list[int]) -> None:
        self.name, self.length, self.stamps = "source", len(stamps), stamps

    def __iter__(self) -> Iterator[Frame]:
        grey = np.full((48, 64, 3), 9, np.uint8)
        return (Frame(5, stamp * 1_000_000, "lens", grey) for stamp in self.stamps)


def test_a_generated_scene_comes_with_the_truth_of_its_description(tmp_path: Path) -> None:
    footage = generated(tmp_path / "bag", "", frames=4, rate=10, size=SIZE)
    pairs = list(footage.frames())
    assert [frame.stamp_ns for frame, _ in pairs] == list(footage.stamps_ns)
    assert footage.description
    assert footage.rate == pytest.approx(10)
    for frame, truth in pairs:
        assert frame.rgb.shape == (72, 96, 3)
        assert truth is not None
        assert truth.shape == (72, 96)
    assert pairs[0][1].any()


def test_the_target_is_hidden_among_look_alikes_and_seen_again() -> None:
    parser = argparse.ArgumentParser()
    add_arguments(parser)
    usual = parser.parse_args([])
    world = scene(usual.frames, usual.rate, usual.size)
    target, others = world.objects[world.target - 1], [each for each in world.objects if each.id != world.target]
    shared = [
        sum(getattr(each, name) == getattr(target, name) for name in ("colour", "pattern", "shape")) for each in others
    ]
    assert max(shared) == 2
    visible = world.visible[:, world.target - 1]
    assert np.count_nonzero(visible < 0.5) >= 3
    assert visible[0] == 1
    assert visible[-1] == 1


def test_another_description_has_no_truth(tmp_path: Path) -> None:
    footage = generated(tmp_path / "bag", "spaceship", frames=2, rate=10, size=SIZE)
    assert footage.description == "spaceship"
    assert [truth for _, truth in footage.frames()] == [None, None]


@pytest.mark.parametrize(
    ("stamps", "kept"),
    [
        (list(range(5000, 5400, 33)), [5000, 5099, 5198, 5297, 5396]),  # 30 Hz
        ([5000, 5500, 6000], [5000, 5500, 6000]),  # slower than asked for
        ([5000, 5095, 5205, 5299, 5400], [5000, 5095, 5205, 5299, 5400]),  # 10 Hz, unsteady
        ([0, 100, 200], [1000, 1100, 1200]),  # a stamp of zero could be none at all
    ],
)
def test_frames_between_are_left_out_and_recording_times_are_kept(
    tmp_path: Path, stamps: list[int], kept: list[int]
) -> None:
    footage = shortened(tmp_path / "bag", Source(stamps), "mug", frames=5, rate=10, size=(640, 480))
    assert [stamp // 1_000_000 for stamp in footage.stamps_ns] == kept
    assert [frame.stamp_ns for frame, _ in footage.frames()] == list(footage.stamps_ns)


def test_frames_are_scaled_down_to_fit_and_keep_their_frame_id(tmp_path: Path) -> None:
    footage = shortened(tmp_path / "bag", Source([1, 200]), "mug", frames=1, rate=10, size=(32, 32))
    (frame, _) = next(footage.frames())
    assert (frame.rgb.shape, frame.frame_id, footage.size) == ((24, 32, 3), "lens", (32, 24))
    assert len(footage.stamps_ns) == 1


def test_a_source_without_frames_is_named(tmp_path: Path) -> None:
    with pytest.raises(BagError, match="source has no frames"):
        shortened(tmp_path / "bag", Source([]), "mug", frames=5, rate=10, size=SIZE)
