from __future__ import annotations

from pathlib import Path

import pytest

from fastsam2_ros.batch import marker
from fastsam2_ros.batch.sources import find_sources
from fastsam2_ros.errors import InputError

OUT = Path("out/track")


@pytest.fixture
def recordings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Two days with two recordings each."""
    for day in ("monday", "tuesday"):
        (tmp_path / "rec" / day).mkdir(parents=True)
        for name in ("cam.mp4", "arm.mp4"):
            (tmp_path / "rec" / day / name).touch()
    monkeypatch.chdir(tmp_path)
    return tmp_path


def names(*words: object) -> list[str]:
    return [source.name for source in find_sources([str(word) for word in words], OUT)]


def test_a_glob_names_by_what_comes_after_its_fixed_part(recordings: Path) -> None:
    assert names("rec/*/cam.mp4") == ["monday_cam.mp4", "tuesday_cam.mp4"]


def test_a_glob_that_matches_one_names_it_as_among_many(recordings: Path) -> None:
    assert names("rec/m*/cam.mp4") == ["monday_cam.mp4"]


def test_paths_are_named_from_the_folder_that_all_are_in(recordings: Path) -> None:
    assert names("rec/monday/cam.mp4", "rec/monday/arm.mp4") == ["cam.mp4", "arm.mp4"]
    assert names("rec/monday/cam.mp4", "rec/tuesday/cam.mp4") == ["monday_cam.mp4", "tuesday_cam.mp4"]


def test_names_that_would_be_the_same_are_told_apart(recordings: Path) -> None:
    (recordings / "rec" / "monday_cam.mp4").touch()
    found = names("rec/monday_cam.mp4", "rec/monday/cam.mp4")
    assert len(set(found)) == 2
    assert all(name.startswith("monday_cam.mp4-") for name in found)


def test_what_is_named_twice_is_there_once(recordings: Path) -> None:
    (recordings / "link.mp4").symlink_to("rec/monday/cam.mp4")
    assert len(find_sources(["rec/monday/cam.mp4", "rec/*/cam.mp4", "link.mp4"], OUT)) == 2


def test_a_path_with_brackets_that_exists_is_no_glob(recordings: Path) -> None:
    (recordings / "rec" / "take[1].mp4").touch()
    assert names("rec/take[1].mp4") == ["take[1].mp4"]


def test_a_missing_path_is_left_for_its_own_job(recordings: Path) -> None:
    assert names("rec/none.mp4", "rec/monday") == ["none.mp4", "monday"]


def test_a_glob_without_a_match_is_told(recordings: Path) -> None:
    with pytest.raises(InputError, match=r"Nothing matches rec/\*\.bag"):
        find_sources(["rec/*.bag"], OUT)


@pytest.mark.parametrize(
    ("pattern", "name"), [("rec/monday/**", "monday"), ("rec/monday/*/..", "monday"), ("rec/monday/*/../..", "rec")]
)
def test_the_folder_where_a_glob_begins_and_those_above_have_their_own_names(
    recordings: Path, pattern: str, name: str
) -> None:
    (recordings / "rec" / "monday" / "cams").mkdir()
    assert name in names(pattern)
    assert not {"", ".", ".."} & set(names(pattern))


def test_the_root_has_a_name() -> None:
    (name,) = names("/")
    assert name


@pytest.mark.parametrize("marked", [marker.FINISHED, marker.UNFINISHED])
def test_results_of_earlier_runs_are_no_sources_of_a_glob(recordings: Path, marked: str) -> None:
    for folder in ("out/track", "rec/results/cam.mp4"):
        (recordings / folder).mkdir(parents=True)
        (recordings / folder / "overlay.mp4").touch()
    (recordings / "rec" / "results" / "cam.mp4" / marked).touch()
    found = names("**/*.mp4")
    assert len(found) == 4
    assert not any("overlay" in name or "results" in name for name in found)
    with pytest.raises(InputError, match="but results of earlier runs"):
        names("rec/results/*")
    assert names("rec/results/cam.mp4/overlay.mp4") == ["overlay.mp4"]


def test_a_glob_that_begins_where_results_go_has_matches(recordings: Path) -> None:
    assert len(find_sources(["rec/*/cam.mp4"], recordings)) == 2


def test_a_link_to_itself_is_left_for_its_own_job(recordings: Path) -> None:
    (recordings / "rec" / "loop.mp4").symlink_to("loop.mp4")
    assert names("rec/loop.mp4", "rec/monday") == ["loop.mp4", "monday"]


def test_a_name_that_is_taken_is_not_given_again(recordings: Path) -> None:
    (source,) = find_sources(["rec/monday"], OUT, taken=["monday"])
    assert source.name.startswith("monday-")
