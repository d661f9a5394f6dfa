"""Photographs as sequences of one frame."""

from __future__ import annotations

import json

import numpy as np
import pytest
from PIL import Image

from fastsam2_ros.errors import InputError
from fastsam2_ros.lab.evaluation.datasets import open_dataset
from fastsam2_ros.lab.evaluation.photographs import ABSENT


def write(folder, name, objects):
    """Upright bars of rising width, one for each object, numbered from 1."""
    ids = np.zeros((60, 120), np.uint8)
    for number in range(1, len(objects) + 1):
        ids[10:50, 20 * number - 15 : 20 * number - 10 + 2 * number] = number
    for part, suffix in (("images", "jpg"), ("masks", "png")):
        (folder / part).mkdir(exist_ok=True)
        image = Image.fromarray(ids if part == "masks" else np.repeat(ids[..., None], 3, 2))
        image.save(folder / part / f"{name}.{suffix}")
    listed = folder / "objects.json"
    known = json.loads(listed.read_text("utf-8")) if listed.exists() else {}
    known[name] = {"objects": {str(n): text for n, text in enumerate(objects, 1)}}
    listed.write_text(json.dumps(known), "utf-8")


@pytest.fixture
def folder(tmp_path):
    write(tmp_path, "a", ["cup", "dog", "car", "car"])
    write(tmp_path, "b", ["cat", "cat"])
    write(tmp_path, "c", ["horse", "kite", "boat", "tie", "bed"])
    return tmp_path


def test_photographs_without_a_name_of_its_own_are_left_out(folder):
    assert list(open_dataset(folder).names) == ["a", "c"]


def test_the_largest_object_whose_name_is_its_own_is_asked_for(folder):
    sequence = open_dataset(folder).open("a")
    assert dict(sequence.descriptions) == {2: "dog"}
    assert list(sequence.footage.truth(0).masks) == [2]


def test_names_that_are_absent_are_of_other_photographs(folder):
    absent = open_dataset(folder).open("a").absent
    assert len(absent) == ABSENT
    assert not {"cup", "dog", "car"} & set(absent)


def test_there_is_one_frame(folder):
    sequence = open_dataset(folder).open("c")
    assert len(sequence) == 1
    assert sequence.footage.frame(0).shape == (60, 120, 3)


def test_a_list_of_another_form_is_named(folder):
    (folder / "objects.json").write_text("[]", "utf-8")
    with pytest.raises(InputError, match=r"objects\.json"):
        open_dataset(folder)
