from __future__ import annotations

import pickle

import numpy as np
import pytest

from fastsam2_ros.errors import InputError
from fastsam2_ros.lab.evaluation.worlds import CLOSE, CloseUpDataset, WorldDataset
from fastsam2_ros.lab.synthetic.world import HELD_OUT_SEED, generate

DATASET = WorldDataset(count=7, size=(96, 128))


def test_levels_are_mixed_equally() -> None:
    assert [name[-1] for name in DATASET.names] == list("1231231")


def test_seeds_are_held_out_and_differ() -> None:
    seeds = [int(name.split("-")[0]) for name in DATASET.names]
    assert min(seeds) >= HELD_OUT_SEED
    assert len(set(seeds)) == 7


@pytest.fixture(scope="module")
def opened():
    return DATASET.open(DATASET.names[1], max_frames=3)


def test_the_described_object_is_the_truth(opened) -> None:
    world = generate(HELD_OUT_SEED + 1, 2, 3, (96, 128))
    assert opened.first == {world.target: 0}
    assert opened.descriptions == {world.target: world.description}
    assert opened.absent == world.absent
    for index in range(3):
        np.testing.assert_array_equal(opened.footage.truth(index).masks[world.target], world.ids[index] == world.target)
        np.testing.assert_array_equal(opened.footage.frame(index), world.frames[index])


def test_every_frame_is_annotated_and_stamped(opened) -> None:
    assert len(opened) == 3
    assert list(opened.annotated) == [0, 1, 2]
    assert opened.stamps_ns[1] == 33_333_333
    assert opened.group == "level 2"


def test_more_sequences_begin_with_the_same() -> None:
    assert WorldDataset(count=9, size=(96, 128)).names[:7] == DATASET.names
    assert WorldDataset(count=9, size=(96, 128)).identity == DATASET.identity != WorldDataset().identity


@pytest.mark.parametrize("dataset", [DATASET, CloseUpDataset(3)])
def test_other_processes_can_open_it(dataset) -> None:
    assert pickle.loads(pickle.dumps(dataset)) == dataset


def test_the_target_of_a_close_up_fills_much_of_the_frame() -> None:
    size = (192, 256)
    dataset = CloseUpDataset(3, size)
    assert dataset.names == WorldDataset(9, size).names[::3]
    for name in dataset.names:
        (number,) = dataset.open(name, 2).first
        footage, whole = (each.open(name, 2).footage for each in (dataset, WorldDataset(9, size)))
        mask, uncut = footage.truth(0).masks[number], whole.truth(0).masks[number]
        assert footage.frame(1).shape == (*size, 3)
        assert mask.mean() == pytest.approx(min(CLOSE, uncut.mean() * 16), rel=0.3)  # or as close as it gets
        assert mask.mean() > uncut.mean()
        # It is the target that was enlarged, and its picture with its mask.
        colours = [image[seen].mean(0) for image, seen in ((footage.frame(0), mask), (whole.frame(0), uncut))]
        np.testing.assert_allclose(*colours, atol=8)


def test_close_ups_are_kept_apart_from_whole_sequences() -> None:
    dataset = CloseUpDataset(3, (96, 128))
    assert (dataset.title, dataset.open(dataset.names[0], 3).group) == ("close-ups", "")
    assert dataset.identity != WorldDataset(3, (96, 128)).identity


def test_an_unknown_sequence_is_named() -> None:
    with pytest.raises(InputError, match="'dog'"):
        DATASET.open("dog")
