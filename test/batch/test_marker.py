from __future__ import annotations

import json
from pathlib import Path

import pytest

from fastsam2_ros.batch import marker
from fastsam2_ros.errors import BagError, InputError

MADE = {"source": ["a.mp4", 7], "boxes": ((1.0, 2.0, 3.0, 4.0),)}


def test_a_new_folder_is_not_finished(tmp_path: Path) -> None:
    assert marker.finished(tmp_path / "none", MADE) is None


def test_what_was_finished_is_known_with_its_frames(tmp_path: Path) -> None:
    marker.begin(tmp_path / "new", MADE)
    marker.finish(tmp_path / "new", MADE, 12)
    assert marker.finished(tmp_path / "new", MADE) == 12
    assert [file.name for file in (tmp_path / "new").iterdir()] == [marker.FINISHED]


def test_what_was_broken_off_is_done_anew(tmp_path: Path) -> None:
    marker.begin(tmp_path / "new", MADE)
    (tmp_path / "new" / "masks").mkdir()
    (tmp_path / "new" / "masks" / "0.png").touch()
    (tmp_path / "new" / "tracks.jsonl").touch()
    assert marker.finished(tmp_path / "new", MADE) is None
    marker.begin(tmp_path / "new", MADE)
    assert [file.name for file in (tmp_path / "new").iterdir()] == [marker.UNFINISHED]


def test_folders_of_others_stay_as_they_are(tmp_path: Path) -> None:
    (tmp_path / "mine").touch()
    with pytest.raises(BagError, match="not empty"):
        marker.begin(tmp_path, MADE)
    assert [file.name for file in tmp_path.iterdir()] == ["mine"]


@pytest.mark.parametrize("whole", [True, False])
def test_results_of_something_else_are_named(tmp_path: Path, whole: bool) -> None:
    marker.begin(tmp_path, MADE)
    if whole:
        marker.finish(tmp_path, MADE, 12)
    with pytest.raises(InputError, match="other boxes"):
        marker.finished(tmp_path, {**MADE, "boxes": ()})


def test_a_marker_that_a_kill_cut_off_is_of_a_run_to_be_done_anew(tmp_path: Path) -> None:
    (tmp_path / marker.UNFINISHED).write_text('{"made": {"sou')
    assert marker.finished(tmp_path, MADE) is None


def test_it_is_the_last_thing_that_is_there(tmp_path: Path) -> None:
    """A kill between the two names leaves both; the whole one counts."""
    marker.begin(tmp_path, MADE)
    (tmp_path / marker.FINISHED).write_text(json.dumps({"made": MADE, "frames": 3}))
    assert marker.finished(tmp_path, MADE) == 3


def test_an_unfinished_folder_of_a_recording_that_changed_is_done_anew(tmp_path: Path) -> None:
    marker.begin(tmp_path, MADE)
    assert marker.finished(tmp_path, {**MADE, marker.SOURCE: ["a.mp4", 8]}) is None


@pytest.mark.parametrize("name", [marker.FINISHED, marker.UNFINISHED])
def test_a_folder_around_results_is_not_cleared(tmp_path: Path, name: str) -> None:
    (tmp_path / "day" / "cam").mkdir(parents=True)
    for file in (tmp_path / marker.UNFINISHED, tmp_path / "day" / "cam" / name):
        file.write_text("{}")
    with pytest.raises(BagError, match=r"results of other recordings in .*cam"):
        marker.begin(tmp_path, MADE)
    assert (tmp_path / "day" / "cam" / name).is_file()
