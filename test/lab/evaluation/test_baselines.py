from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from fastsam2_ros.errors import InputError
from fastsam2_ros.lab.evaluation.baselines import FirstMask, StoredMasks
from fastsam2_ros.lab.evaluation.datasets import open_dataset
from fastsam2_ros.lab.evaluation.sequences import VideoSequence

from .footage import SIZE, ids, names, write_davis, write_masks

LATER = [ids(o1=0), ids(o1=2), ids(o1=4, o2=20), ids(o1=6, o2=22)]


@pytest.fixture
def sequence(tmp_path: Path) -> VideoSequence:
    """Four frames; object 2 comes in the third."""
    write_davis(tmp_path / "data", {"a": LATER})
    return open_dataset(tmp_path / "data").open("a")


def test_the_first_mask_stays(sequence) -> None:
    labels = list(FirstMask().predict(sequence))
    for index, expected in enumerate([ids(o1=0), ids(o1=0), ids(o1=0, o2=20), ids(o1=0, o2=20)]):
        np.testing.assert_array_equal(labels[index], expected)


def test_stored_masks_are_read_by_frame(sequence, tmp_path: Path) -> None:
    write_masks(tmp_path / "results" / "a", dict(zip(names(4), LATER, strict=True)))
    for labels, expected in zip(StoredMasks(tmp_path / "results").predict(sequence), LATER, strict=True):
        np.testing.assert_array_equal(labels, expected)


def test_a_missing_frame_of_stored_masks_is_named(sequence, tmp_path: Path) -> None:
    write_masks(tmp_path / "results" / "a", {"00000": LATER[0], "00001": LATER[1], "00003": LATER[3]})
    with pytest.raises(InputError, match=r"00002\.png"):
        list(StoredMasks(tmp_path / "results").predict(sequence))


def test_frames_without_annotation_may_be_missing(tmp_path: Path) -> None:
    write_davis(tmp_path / "data", {"a": LATER})
    (tmp_path / "data" / "Annotations" / "480p" / "a" / "00001.png").unlink()
    write_masks(tmp_path / "results" / "a", {name: LATER[int(name)] for name in ("00000", "00002", "00003")})
    labels = list(StoredMasks(tmp_path / "results").predict(open_dataset(tmp_path / "data").open("a")))
    assert labels[1].shape == SIZE
    assert not labels[1].any()


def test_an_object_that_is_not_in_the_sequence_is_named(sequence, tmp_path: Path) -> None:
    write_masks(tmp_path / "results" / "a", dict.fromkeys(names(4), ids(o9=0)))
    with pytest.raises(InputError, match=r"objects \[9\], but the sequence has \[1, 2\]"):
        list(StoredMasks(tmp_path / "results").predict(sequence))


def test_with_one_object_every_id_is_that_object(tmp_path: Path) -> None:
    write_davis(tmp_path / "data", {"a": [ids(o3=0)]})
    write_masks(tmp_path / "results" / "a", {"00000": ids(o255=0)}, palette=False)
    (labels,) = StoredMasks(tmp_path / "results").predict(open_dataset(tmp_path / "data").open("a"))
    np.testing.assert_array_equal(labels, ids(o3=0))
