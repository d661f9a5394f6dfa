from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from fastsam2_ros.config import ModelConfig, TrackerConfig
from fastsam2_ros.lab.evaluation import run
from fastsam2_ros.lab.evaluation.baselines import FirstMask, StoredMasks
from fastsam2_ros.lab.evaluation.datasets import open_dataset
from fastsam2_ros.lab.evaluation.labels import read_labels
from fastsam2_ros.lab.evaluation.ours import DESCRIPTION, FIRST_MASK, Ours
from fastsam2_ros.lab.evaluation.run import counted_frames, evaluate_sequence, plan, run_jobs

from .footage import ids, names, write_davis, write_masks

MASKS = [ids(o1=0), ids(o1=2), ids(o1=4, o2=20), ids(o1=6, o2=20), ids(o1=8, o2=20)]


@pytest.fixture
def dataset(tmp_path: Path):
    """Two sequences of five frames; object 2 comes in the third."""
    write_davis(tmp_path / "data", {"a": MASKS, "b": MASKS})
    return open_dataset(tmp_path / "data")


def stored(folder: Path, masks: list[np.ndarray]) -> StoredMasks:
    write_masks(folder / "a", dict(zip(names(len(masks)), masks, strict=True)))
    return StoredMasks(folder)


def test_first_and_last_frame_are_left_out_where_the_first_mask_is_given(dataset) -> None:
    assert counted_frames(dataset.open("a"), 1, FIRST_MASK) == {1, 2, 3}


def test_frames_before_an_object_and_its_first_are_left_out(dataset) -> None:
    assert counted_frames(dataset.open("a"), 2, FIRST_MASK) == {3}


def test_every_frame_counts_by_description(dataset) -> None:
    assert counted_frames(dataset.open("a"), 2, DESCRIPTION) == {0, 1, 2, 3, 4}


def test_frames_without_annotation_do_not_count(dataset) -> None:
    sparse = replace(dataset.open("a"), annotated=[0, 2, 4])
    assert counted_frames(sparse, 1, FIRST_MASK) == {2}


def test_the_truth_itself_is_perfect(dataset, tmp_path: Path) -> None:
    record = evaluate_sequence(dataset.open("a"), stored(tmp_path / "r", MASKS), FIRST_MASK, tmp_path / "masks")
    assert record["objects"]["1"] == {"description": "", "frames": [1, 2, 3], "J": [1] * 3, "F": [1] * 3, "found": None}
    assert record["objects"]["2"]["frames"] == [3]


def test_a_missing_object_is_empty_masks(dataset, tmp_path: Path) -> None:
    method = stored(tmp_path / "r", [np.where(mask == 2, 0, mask) for mask in MASKS])
    record = evaluate_sequence(dataset.open("a"), method, FIRST_MASK, tmp_path / "masks")
    assert record["objects"]["2"]["J"] == record["objects"]["2"]["F"] == [0]
    assert record["objects"]["1"]["J"] == [1] * 3


def test_an_object_that_rightly_is_not_seen_is_perfect(dataset, tmp_path: Path) -> None:
    gone = [MASKS[0], np.zeros_like(MASKS[0]), *MASKS[2:]]
    write_davis(tmp_path / "gone", {"a": gone})
    sequence = open_dataset(tmp_path / "gone").open("a")
    record = evaluate_sequence(sequence, stored(tmp_path / "r", gone), FIRST_MASK, tmp_path / "masks")
    assert record["objects"]["1"]["J"] == record["objects"]["1"]["F"] == [1] * 3


def test_ids_above_255_are_told_apart(tmp_path: Path) -> None:
    """Under 8 bits 257 would be 1."""
    masks = [np.where(mask == 2, np.uint16(257), mask) for mask in MASKS]
    write_davis(tmp_path / "wide", {"a": MASKS})
    for index, mask in enumerate(masks):
        (tmp_path / "wide" / "Annotations" / "480p" / "a" / f"{index:05}.png").unlink()
        write_masks(tmp_path / f"{index}", {"x": mask}, palette=False)
        (tmp_path / f"{index}" / "x.png").rename(tmp_path / "wide" / "Annotations" / "480p" / "a" / f"{index:05}.png")
    sequence = open_dataset(tmp_path / "wide").open("a")
    record = evaluate_sequence(sequence, FirstMask(), FIRST_MASK, tmp_path / "masks")
    assert list(record["objects"]) == ["1", "257"]
    assert record["objects"]["257"]["J"] == [1]
    assert set(np.unique(read_labels(tmp_path / "masks" / "00004.png").labels)) == {0, 1, 257}


def test_void_pixels_do_not_count(tmp_path: Path) -> None:
    masks = [MASKS[0], *(ids(o1=2, o255=20) for _ in range(2))]
    write_davis(tmp_path / "void", {"a": masks})
    method = stored(tmp_path / "r", [np.where(mask == 255, 1, mask) for mask in masks])
    record = evaluate_sequence(open_dataset(tmp_path / "void").open("a"), method, FIRST_MASK, tmp_path / "masks")
    assert record["objects"]["1"]["J"] == record["objects"]["1"]["F"] == [1]


@pytest.mark.parametrize(("left", "found"), [(0, True), (2, True), (3, False), (20, False)])
def test_a_described_object_is_found_above_an_iou_of_a_half(dataset, tmp_path: Path, left: int, found: bool) -> None:
    """Squares of 8 pixels: shifted by 2 their IoU is .6, by 3 it is .45."""
    sequence = replace(dataset.open("a"), descriptions={1: "square"})
    method = stored(tmp_path / "r", [ids(o1=left), *MASKS[1:]])
    record = evaluate_sequence(sequence, method, DESCRIPTION, tmp_path / "masks")
    assert record["objects"]["1"]["found"] is found
    assert list(record["objects"]) == ["1"], "the other has no description"


def test_masks_are_written_with_the_ids_of_the_data_set(dataset, tmp_path: Path) -> None:
    evaluate_sequence(dataset.open("a"), stored(tmp_path / "r", MASKS), FIRST_MASK, tmp_path / "masks")
    for index, mask in enumerate(MASKS):
        np.testing.assert_array_equal(read_labels(tmp_path / "masks" / f"{index:05}.png").labels, mask)


def test_what_is_done_is_not_done_again(dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = plan(dataset, ["a"], [FirstMask()], FIRST_MASK, tmp_path / "out", None)
    assert len(list(run_jobs(first))) == 1
    performed = []
    monkeypatch.setattr(run, "perform", lambda job: performed.append(job.sequence) or {"sequence": job.sequence})
    both = plan(dataset, ["a", "b"], [FirstMask()], FIRST_MASK, tmp_path / "out", None)
    records = {done.job.sequence: done.value() for done in run_jobs(both)}
    assert performed == ["b"]
    assert records["a"]["objects"]["1"]["frames"] == [1, 2, 3]


def test_a_job_that_broke_off_leaves_no_record(dataset, tmp_path: Path) -> None:
    jobs = plan(dataset, ["a", "b"], [stored(tmp_path / "r", MASKS)], FIRST_MASK, tmp_path / "out", None)
    (error,) = [done.error for done in run_jobs(jobs) if done.error is not None]
    assert "00000" in str(error)
    assert [job.file.is_file() for job in jobs] == [True, False]


def test_other_settings_have_another_folder(dataset, tmp_path: Path) -> None:
    config = TrackerConfig(model=ModelConfig(name="mini", checkpoint="untrained"))
    other = replace(config, pruning=replace(config.pruning, keep_ratio=0.3))
    variants = [
        (config, FIRST_MASK, None),
        (other, FIRST_MASK, None),
        (config, DESCRIPTION, None),
        (config, FIRST_MASK, 3),
    ]
    folders = {plan(dataset, ["a"], [Ours(c, m)], m, tmp_path, n)[0].folder for c, m, n in variants}
    again = plan(dataset, ["b"], [Ours(config, FIRST_MASK)], FIRST_MASK, tmp_path, None)[0].folder
    assert len(folders) == 4
    assert again in folders
    assert json.loads((again / "settings.json").read_text())["method"]["config"]["model"]["name"] == "mini"


def test_other_weights_under_the_same_name_have_another_folder(dataset, tmp_path: Path) -> None:
    file = tmp_path / "mini.pt"
    method = Ours(TrackerConfig(model=ModelConfig(name="mini", checkpoint=str(file))), FIRST_MASK)
    folders = set()
    for content in (b"one", b"other"):
        file.write_bytes(content)
        folders.add(plan(dataset, ["a"], [method], FIRST_MASK, tmp_path, None)[0].folder)
    assert len(folders) == 2


def test_other_masks_in_the_same_folder_have_another_folder(dataset, tmp_path: Path) -> None:
    method = stored(tmp_path / "r", MASKS)
    before = plan(dataset, ["a"], [method], FIRST_MASK, tmp_path, None)[0].folder
    (tmp_path / "r" / "a" / "00002.png").unlink()
    assert plan(dataset, ["a"], [method], FIRST_MASK, tmp_path, None)[0].folder != before
