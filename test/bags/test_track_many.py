from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from fastsam2_ros.bags import track_many
from fastsam2_ros.bags.track_many import plan, track
from fastsam2_ros.bags.track_one import Wanted
from fastsam2_ros.batch import marker
from fastsam2_ros.batch.sources import Source
from fastsam2_ros.cli import main
from fastsam2_ros.config import LanguageConfig, ModelConfig, TrackerConfig
from fastsam2_ros.tracker import TextTracker

from .files import digests
from .test_track import FakeTracker

SETTINGS = ["--checkpoint", "untrained", "--set", "language.name=none", "--description", "mug"]
CONFIG = TrackerConfig(model=ModelConfig(checkpoint="untrained"), language=LanguageConfig(name="none"))


class FakeModels:
    """In place of a `TextTracker` that gives siblings."""

    def sibling(self) -> FakeTracker:
        return FakeTracker()


@pytest.fixture(autouse=True)
def _without_models(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(track_many, "models", lambda config: FakeModels())
    monkeypatch.setattr(TextTracker, "from_config", lambda config: FakeTracker())


@pytest.fixture
def recordings(make_video, tmp_path: Path) -> Path:
    """Two videos of the same name, and one that is none."""
    for day in ("monday", "tuesday"):
        (tmp_path / "rec" / day).mkdir(parents=True)
        make_video(name=f"rec/{day}/cam.mp4")
    (tmp_path / "rec" / "monday" / "broken.mp4").write_text("no video")
    return tmp_path / "rec"


def command(out: Path, *sources: object) -> int:
    return main(["track", *map(str, sources), "--out", str(out), *SETTINGS])


def test_each_has_a_folder_with_what_it_has_alone(recordings: Path, tmp_path: Path) -> None:
    assert command(tmp_path / "out", recordings / "*" / "cam.mp4") == 0
    assert sorted(folder.name for folder in (tmp_path / "out").iterdir()) == ["monday_cam.mp4", "tuesday_cam.mp4"]
    for day in ("monday", "tuesday"):
        assert command(tmp_path / day, recordings / day / "cam.mp4") == 0
        alone = digests(tmp_path / day)
        assert digests(tmp_path / "out" / f"{day}_cam.mp4") == alone
        assert len(alone) == 5 + 5 + 1 + 1 + 2


def test_one_that_fails_is_named_and_the_others_are_done(recordings: Path, tmp_path: Path, capsys, caplog) -> None:
    assert command(tmp_path / "out", recordings / "monday" / "broken.mp4", recordings / "monday" / "cam.mp4") == 2
    assert "1 of 2 failed, the others are done: broken.mp4." in " ".join(capsys.readouterr().err.split())
    assert "broken.mp4: " in caplog.text
    assert [folder.name for folder in (tmp_path / "out").iterdir()] == ["cam.mp4"]


def test_what_is_finished_is_not_done_again(recordings: Path, tmp_path: Path) -> None:
    cams = recordings / "monday" / "cam.mp4", recordings / "tuesday" / "cam.mp4"
    assert command(tmp_path / "out", *cams) == 0
    before = {file: file.stat().st_mtime_ns for file in (tmp_path / "out").rglob("*")}
    (tmp_path / "out" / "tuesday_cam.mp4" / marker.FINISHED).rename(
        tmp_path / "out" / "tuesday_cam.mp4" / marker.UNFINISHED
    )
    assert command(tmp_path / "out", *cams) == 0
    changed = {file for file, time in before.items() if file.is_file() and file.stat().st_mtime_ns != time}
    assert {file.relative_to(tmp_path / "out").parts[0] for file in changed} == {"tuesday_cam.mp4"}


def test_other_settings_are_told_and_nothing_is_lost(recordings: Path, tmp_path: Path, caplog) -> None:
    cams = recordings / "monday" / "cam.mp4", recordings / "tuesday" / "cam.mp4"
    assert command(tmp_path / "out", *cams) == 0
    before = digests(tmp_path / "out")
    assert main(["track", *map(str, cams), "--out", str(tmp_path / "out"), *SETTINGS, "--keep-ratio", "0.5"]) == 2
    assert "is of another run (other settings)" in caplog.text
    assert digests(tmp_path / "out") == before


def test_the_marker_says_what_it_was_made_of(recordings: Path, tmp_path: Path) -> None:
    (job,) = plan([Source(recordings / "monday" / "cam.mp4", "cam")], Wanted(CONFIG, "mug"), tmp_path / "out")
    assert track(job) == 5
    content = json.loads((job.folder / marker.FINISHED).read_text())
    assert content["frames"] == 5
    assert content["made"]["source"][0] == str(recordings / "monday" / "cam.mp4")
    assert content["made"]["settings"]["model.checkpoint"] == "untrained"


def test_a_recording_that_changed_is_told_and_the_others_go_on(
    recordings: Path, tmp_path: Path, make_video, caplog
) -> None:
    cams = recordings / "monday" / "cam.mp4", recordings / "tuesday" / "cam.mp4"
    assert command(tmp_path / "out", *cams) == 0
    shutil.rmtree(tmp_path / "out" / "tuesday_cam.mp4")
    shutil.copyfile(make_video(count=7, name="longer.mp4"), cams[0])
    assert command(tmp_path / "out", *cams) == 2
    assert "monday_cam.mp4: " in caplog.text
    assert "(other source)" in caplog.text
    assert (tmp_path / "out" / "tuesday_cam.mp4" / marker.FINISHED).is_file()


def test_a_recording_that_was_mended_after_its_damage_is_done_anew(recordings: Path, tmp_path: Path) -> None:
    cams = recordings / "monday" / "cam.mp4", recordings / "tuesday" / "cam.mp4"
    whole = cams[0].read_bytes()
    cams[0].write_bytes(whole[: len(whole) // 2])
    assert command(tmp_path / "out", *cams) == 2
    folder = tmp_path / "out" / "monday_cam.mp4"
    folder.mkdir(exist_ok=True)
    (folder / marker.UNFINISHED).write_text((folder.with_name("tuesday_cam.mp4") / marker.FINISHED).read_text())
    cams[0].write_bytes(whole)
    assert command(tmp_path / "out", *cams) == 0


def test_results_in_the_same_folders_are_not_tracked_themselves(recordings: Path, tmp_path: Path) -> None:
    for _ in range(2):
        assert command(tmp_path / "rec" / "out", recordings / "**" / "cam.mp4") == 0
        assert command(tmp_path / "other", recordings / "**" / "[co]*.mp4") == 0
    assert sorted(folder.name for folder in (tmp_path / "other").iterdir()) == ["monday_cam.mp4", "tuesday_cam.mp4"]


@pytest.mark.parametrize("kind", ["link to itself", "not readable"])
def test_a_source_that_cannot_be_read_fails_alone(
    recordings: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys, kind: str
) -> None:
    bad = recordings / "monday" / "bad"
    if kind == "link to itself":
        bad.symlink_to("bad")
    else:
        bad.mkdir()
        listed = Path.iterdir

        def refused(folder: Path) -> Iterator[Path]:
            if folder == bad:
                raise PermissionError(13, "Permission denied", str(folder))
            return listed(folder)

        monkeypatch.setattr(Path, "iterdir", refused)
    assert command(tmp_path / "out", bad, recordings / "monday" / "cam.mp4") == 2
    assert "1 of 2 failed, the others are done: bad." in " ".join(capsys.readouterr().err.split())


def test_a_broken_off_one_is_begun_anew(recordings: Path, tmp_path: Path) -> None:
    (job,) = plan([Source(recordings / "monday" / "cam.mp4", "cam")], Wanted(CONFIG, "mug"), tmp_path / "out")
    marker.begin(job.folder, job.made)
    (job.folder / "masks").mkdir()
    (job.folder / "masks" / "000099.png").write_bytes(b"half")
    assert track(job) == 5
    assert not (job.folder / "masks" / "000099.png").exists()


def test_workers_are_for_several(recordings: Path, tmp_path: Path, capsys) -> None:
    assert main(["track", str(recordings / "monday" / "cam.mp4"), *SETTINGS, "--jobs", "2"]) == 2
    assert "for several recordings" in capsys.readouterr().err


def test_a_damaged_one_keeps_what_is_before_the_damage(make_bag, tmp_path: Path, caplog) -> None:
    bag = make_bag(storage="sqlite3", count=50)
    file = next(bag.glob("*.db3"))
    file.write_bytes(file.read_bytes()[: int(file.stat().st_size * 0.99)])
    assert command(tmp_path / "out", bag, tmp_path / "none.mp4") == 2
    folder = tmp_path / "out" / bag.name
    assert (folder / marker.UNFINISHED).is_file()
    assert len(list((folder / "masks").iterdir())) > 0
    assert not (folder / marker.FINISHED).exists()


def test_jobs_are_planned_without_loading_torch(recordings: Path, tmp_path: Path) -> None:
    # Where others do the jobs, they would all wait for it.
    code = """
import sys
from pathlib import Path
from fastsam2_ros.bags.track_many import plan
from fastsam2_ros.bags.track_one import Wanted
from fastsam2_ros.batch.sources import Source
from fastsam2_ros.config import TrackerConfig
(job,) = plan([Source(Path(sys.argv[1]), "cam.mp4")], Wanted(TrackerConfig(), "mug"), Path(sys.argv[2]))
print(len(job.made["files"]), "torch" in sys.modules)
"""
    words = [sys.executable, "-c", code, str(recordings / "monday" / "cam.mp4"), str(tmp_path / "out")]
    assert subprocess.run(words, capture_output=True, text=True, check=True).stdout.split() == ["1", "False"]
