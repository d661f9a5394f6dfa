from __future__ import annotations

import json
import pickle
from pathlib import Path

import numpy as np
import pytest

from fastsam2_ros.errors import InputError
from fastsam2_ros.lab.evaluation.datasets import open_dataset

from .footage import ids, names, square, write_davis, write_frames, write_masks


def test_davis_2017_has_several_objects_in_every_frame(tmp_path: Path) -> None:
    write_davis(tmp_path, {"two": [ids(o1=0, o2=20), ids(o1=3, o2=20)]})
    sequence = open_dataset(tmp_path).open("two")
    assert sequence.first == {1: 0, 2: 0}
    assert list(sequence.annotated) == [0, 1]
    np.testing.assert_array_equal(sequence.footage.truth(1).masks[1], square(3))
    assert sequence.footage.frame(0).shape == (24, 32, 3)


def test_davis_2016_has_one_object_of_255_and_a_list_of_paths(tmp_path: Path) -> None:
    write_frames(tmp_path / "JPEGImages" / "480p" / "dog", names(2))
    write_masks(tmp_path / "Annotations" / "480p" / "dog", dict.fromkeys(names(2), ids(o255=4)), palette=False)
    (tmp_path / "ImageSets" / "480p").mkdir(parents=True)
    lines = [f"/JPEGImages/480p/dog/{name}.jpg /Annotations/480p/dog/{name}.png" for name in names(2)]
    (tmp_path / "ImageSets" / "480p" / "val.txt").write_text("\n".join(lines))
    dataset = open_dataset(tmp_path)
    assert dataset.names == ["dog"]
    sequence = dataset.open("dog")
    assert sequence.first == {1: 0}
    np.testing.assert_array_equal(sequence.footage.truth(0).masks[1], square(4))


def test_the_lists_of_davis_choose_sequences(tmp_path: Path) -> None:
    write_davis(tmp_path, {name: [ids(o1=0)] for name in ("a", "b", "c")})
    (tmp_path / "ImageSets" / "2017" / "val.txt").write_text("b\n")
    (tmp_path / "ImageSets" / "2017" / "train.txt").write_text("c\na\n")
    (tmp_path / "ImageSets" / "2016").mkdir()
    (tmp_path / "ImageSets" / "2016" / "val.txt").write_text("a\n")
    assert open_dataset(tmp_path).names == ["b"]
    assert open_dataset(tmp_path, "train").names == ["c", "a"]
    assert open_dataset(tmp_path, "2016/val").names == ["a"]


def test_without_a_list_all_sequences_with_masks_are_there(tmp_path: Path) -> None:
    write_davis(tmp_path, {name: [ids(o1=0)] for name in ("b", "a")})
    (tmp_path / "ImageSets" / "2017" / "val.txt").unlink()
    assert open_dataset(tmp_path).names == ["a", "b"]


def test_davis_void_pixels_are_kept_apart(tmp_path: Path) -> None:
    write_davis(tmp_path, {"a": [ids(o1=0, o255=20)]})
    truth = open_dataset(tmp_path).open("a").footage.truth(0)
    assert set(truth.masks) == {1}
    np.testing.assert_array_equal(truth.void, square(20))


@pytest.fixture
def youtube(tmp_path: Path) -> Path:
    """Every fifth frame; object 2 comes with the third of them, and only first masks are given."""
    folder = tmp_path / "valid"
    write_frames(folder / "JPEGImages" / "0a49", names(5, step=5))
    write_masks(folder / "Annotations" / "0a49", {"00000": ids(o1=0), "00010": ids(o1=2, o2=20)})
    objects = {"1": {"category": "penguin", "frames": []}, "2": {"category": "sled", "frames": []}}
    (folder / "meta.json").write_text(json.dumps({"videos": {"0a49": {"objects": objects}}}))
    return tmp_path


@pytest.mark.parametrize("place", [(".", ""), (".", "valid"), ("valid", "")])
def test_youtube_vos_annotates_some_frames(youtube: Path, place: tuple[str, str]) -> None:
    sequence = open_dataset(youtube / place[0], place[1]).open("0a49")
    assert len(sequence) == 5
    assert list(sequence.annotated) == [0, 2]
    assert sequence.first == {1: 0, 2: 2}
    assert sequence.frame_names[1] == "00005"


def test_frames_that_count_by_five_are_a_sixth_of_a_second_apart(youtube: Path) -> None:
    sequence = open_dataset(youtube).open("0a49")
    assert sequence.stamps_ns[:3] == [0, 166_666_667, 333_333_333]


def test_categories_are_the_descriptions_of_youtube_vos(youtube: Path) -> None:
    assert open_dataset(youtube).open("0a49").descriptions == {1: "penguin", 2: "sled"}


def test_expressions_of_refer_youtube_vos_come_before_categories(youtube: Path) -> None:
    said = {"0": {"exp": "a penguin on the left", "obj_id": "1"}, "1": {"exp": "it waddles", "obj_id": "1"}}
    (youtube / "meta_expressions" / "valid").mkdir(parents=True)
    file = youtube / "meta_expressions" / "valid" / "meta_expressions.json"
    file.write_text(json.dumps({"videos": {"0a49": {"expressions": said, "frames": []}}}))
    assert open_dataset(youtube).open("0a49").descriptions == {1: "a penguin on the left"}


def test_mose_has_train_and_valid_side_by_side(tmp_path: Path) -> None:
    for split in ("train", "valid"):
        write_frames(tmp_path / split / "JPEGImages" / f"{split}1", names(3))
        write_masks(tmp_path / split / "Annotations" / f"{split}1", {"00000": ids(o1=0, o3=20)})
    assert open_dataset(tmp_path).names == ["valid1"]
    dataset = open_dataset(tmp_path, "train")
    assert dataset.names == ["train1"]
    assert dataset.open("train1").first == {1: 0, 3: 0}


def test_lvos_has_long_names_and_categories(tmp_path: Path) -> None:
    frames = ["00000001", "00000006", "00000011"]
    write_frames(tmp_path / "val" / "JPEGImages" / "vid", frames)
    write_masks(tmp_path / "val" / "Annotations" / "vid", {name: ids(o1=3) for name in frames})
    objects = {"1": {"category": "bird", "frame_range": {"1": {"start": "00000001"}}}}
    (tmp_path / "val" / "val_meta.json").write_text(json.dumps({"videos": {"vid": {"objects": objects}}}))
    sequence = open_dataset(tmp_path).open("vid")
    assert list(sequence.annotated) == [0, 1, 2]
    assert sequence.stamps_ns[1] == 166_666_667
    assert sequence.descriptions == {1: "bird"}


@pytest.fixture
def sav(tmp_path: Path) -> Path:
    """Two objects, which overlap; every fourth frame annotated; the second object comes later."""
    root = tmp_path / "sav_val"
    write_frames(root / "JPEGImages_24fps" / "sav_000001", names(9))
    annotated = names(3, step=4)
    first = dict.fromkeys(annotated, square(4).astype(np.uint8) * 255)
    second = {name: square(8).astype(np.uint8) * (255 if name != "00000" else 0) for name in annotated}
    write_masks(root / "Annotations_6fps" / "sav_000001" / "000", first, palette=False)
    write_masks(root / "Annotations_6fps" / "sav_000001" / "001", second, palette=False)
    (root / "sav_val.txt").write_text("sav_000001\n")
    return root


def test_sav_has_a_folder_of_masks_for_each_object(sav: Path) -> None:
    sequence = open_dataset(sav).open("sav_000001")
    assert list(sequence.annotated) == [0, 4, 8]
    assert sequence.first == {1: 0, 2: 4}
    assert sequence.stamps_ns[1] == round(1e9 / 24)


def test_masks_of_sav_may_overlap(sav: Path) -> None:
    masks = open_dataset(sav.parent, "val").open("sav_000001").footage.truth(4).masks
    np.testing.assert_array_equal(masks[1], square(4))
    np.testing.assert_array_equal(masks[2], square(8))


def test_a_sequence_can_be_cut(sav: Path) -> None:
    sequence = open_dataset(sav).open("sav_000001", max_frames=5)
    assert len(sequence) == 5
    assert list(sequence.annotated) == [0, 4]


def test_descriptions_written_by_hand_come_first(youtube: Path) -> None:
    said = {"0a49": {"objects": {"2": "the blue sled"}, "absent": ["a red mug"], "group": "snow"}}
    (youtube / "valid" / "descriptions.json").write_text(json.dumps(said))
    sequence = open_dataset(youtube).open("0a49")
    assert sequence.descriptions == {2: "the blue sled"}
    assert list(sequence.absent) == ["a red mug"]
    assert sequence.group == "snow"


@pytest.mark.parametrize("text", ["{", "[]", '{"0a49": {"objects": {"first": "mug"}}}', '{"0a49": ["mug"]}'])
def test_descriptions_that_cannot_be_read_are_named(youtube: Path, text: str) -> None:
    (youtube / "valid" / "descriptions.json").write_text(text)
    with pytest.raises(InputError, match=r"descriptions\.json"):
        open_dataset(youtube).open("0a49")


def test_other_processes_can_open_it(youtube: Path, sav: Path) -> None:
    for folder in (youtube, sav):
        dataset = open_dataset(folder)
        assert pickle.loads(pickle.dumps(dataset)).names == dataset.names


def test_a_folder_that_is_no_data_set_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="JPEGImages"):
        open_dataset(tmp_path)
    with pytest.raises(InputError, match="no folder"):
        open_dataset(tmp_path / "none")


def test_a_split_that_is_not_there_is_named(tmp_path: Path) -> None:
    write_davis(tmp_path, {"a": [ids(o1=0)]})
    with pytest.raises(InputError, match="no split test-dev"):
        open_dataset(tmp_path, "test-dev")


def test_missing_frames_and_masks_are_named(tmp_path: Path) -> None:
    write_davis(tmp_path, {"a": [ids(o1=0)], "b": [ids(o1=0)]})
    (tmp_path / "JPEGImages" / "480p" / "a" / "00000.jpg").unlink()
    (tmp_path / "Annotations" / "480p" / "b" / "00000.png").unlink()
    dataset = open_dataset(tmp_path)
    with pytest.raises(InputError, match="no frames"):
        dataset.open("a")
    with pytest.raises(InputError, match="no mask"):
        dataset.open("b")


def test_a_damaged_frame_is_named(tmp_path: Path) -> None:
    write_davis(tmp_path, {"a": [ids(o1=0)]})
    (tmp_path / "JPEGImages" / "480p" / "a" / "00000.jpg").write_bytes(b"no picture")
    with pytest.raises(InputError, match=r"00000\.jpg"):
        open_dataset(tmp_path).open("a").footage.frame(0)
