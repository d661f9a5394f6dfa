"""What the router learns from."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from PIL import Image

from fastsam2_ros.errors import BagError, InputError
from fastsam2_ros.lab.synthetic.world import generate
from fastsam2_ros.lab.synthetic.write import write_davis
from fastsam2_ros.lab.training.recordings import Recording, Stored, Worlds, open_recordings

BOX = (2.0, 2.0, 20.0, 20.0)


def recording(name: str, length: int = 10) -> Recording:
    return Recording(name, lambda: iter([None] * length))


@pytest.fixture
def images(tmp_path):
    folder = tmp_path / "images"
    folder.mkdir()
    for number in range(3):
        Image.fromarray(np.full((24, 32, 3), number, np.uint8)).save(folder / f"{number}.png")
    return folder


def test_a_generated_sequence_starts_with_its_target_and_tells_all_masks():
    shown = list(Worlds(frames=2, size=(64, 96)).recording(0).frames())
    assert len(shown) == 2
    ((number, (mask, description)),) = shown[0].starts.items()
    assert mask.any()
    assert description
    assert np.array_equal(shown[0].truth[number], mask)
    assert not shown[1].starts


def test_generated_sequences_differ_by_number_and_repeat():
    worlds = Worlds(seed=3)
    names = [worlds.recording(number).name for number in range(5)]
    assert len(set(names)) == 5
    assert names == [Worlds(seed=3).recording(number).name for number in range(5)]
    assert not set(names) & {each.name for each in worlds.held_out}


def test_every_fifth_recording_is_held_out():
    source = Stored([recording(str(number)) for number in range(10)])
    held_out = {each.name for each in source.held_out}
    assert held_out == {"4", "9"}
    assert {source.recording(number).name for number in range(source.round)} == set("01235678")


def test_of_two_recordings_one_is_held_out():
    source = Stored([recording("a"), recording("b")])
    assert [each.name for each in source.held_out] == ["b"]
    assert {source.recording(number).name for number in range(4)} == {"a"}


def test_of_a_single_recording_its_first_fifth_is_held_out():
    source = Stored([recording("a", 10)])
    assert [(each.first, each.last) for each in source.held_out] == [(0, 2)]
    assert (source.recording(0).first, source.recording(0).last) == (2, None)


def test_a_data_set_tells_its_masks(tmp_path):
    write_davis([generate(0, 1, 2, (64, 96))], tmp_path / "world")
    (tmp_path / "world" / "descriptions.json").unlink()  # masks alone are enough
    (found,) = open_recordings(tmp_path / "world", "", (), "")
    shown = list(found.frames())
    assert len(shown) == 2
    assert shown[0].starts.keys() == shown[0].truth.keys()


def test_without_masks_there_is_no_truth(images):
    (found,) = open_recordings(images, "red mug", [BOX], "")
    assert (found.text, found.boxes) == ("red mug", [BOX])
    assert [(shown.starts, shown.truth) for shown in itertools.islice(found.frames(), 5)] == [({}, None)] * 3


def test_without_masks_a_target_must_be_named(images):
    with pytest.raises(InputError, match="--text 'red mug', or --box"):
        open_recordings(images, " ", (), "")


def test_an_empty_folder_is_refused(tmp_path):
    with pytest.raises(BagError, match="neither a bag nor images"):
        open_recordings(tmp_path, "red mug", (), "")
