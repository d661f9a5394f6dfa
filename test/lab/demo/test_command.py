"""The whole demo, small: separate processes on a real graph."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import av
import cv2
import pytest

from fastsam2_ros import cli
from fastsam2_ros.bags.messages import message_types
from fastsam2_ros.bags.read import Bag
from fastsam2_ros.lab.demo.footage import IMAGE_TOPIC, TRUTH_TOPIC
from fastsam2_ros.lab.demo.recording import Recording
from fastsam2_ros.lab.demo.session import RECORDED
from fastsam2_ros.message_fields import stamp_to_ns

from ..running import running

FRAMES = 8
ROOT = Path(__file__).parents[3]
needs_ros = pytest.mark.skipif(find_spec("rclpy") is None, reason="rclpy is not installed")
# Random weights whatever is shipped: the demo has to say so.
UNTRAINED = ["--checkpoint", "untrained", "--set", "language.weights=untrained", "--set", "language.image_size=64"]


def demo(*words: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])}
    command = [sys.executable, "-m", "fastsam2_ros.cli", "demo", *words]
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=300)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What a small run leaves. It starts in a folder that an earlier run, and somebody else, have left things in."""
    folder = tmp_path_factory.mktemp("demo") / "out"
    (folder / "recording").mkdir(parents=True)
    (folder / "recording" / "old").touch()
    (folder / "notes.txt").touch()
    answer = demo("--frames", str(FRAMES), "--rate", "5", "--size", "96x72", "--out", str(folder), *UNTRAINED)
    assert answer.returncode == 0, answer.stdout + answer.stderr
    assert "UNTRAINED WEIGHTS" in answer.stdout
    assert "contact_sheet.png" in answer.stdout
    return folder


@pytest.fixture(scope="module")
def summary(folder: Path) -> dict:
    return json.loads((folder / "summary.json").read_text())


@needs_ros
def test_no_process_is_left(folder: Path) -> None:
    assert not running(str(folder))


@needs_ros
def test_what_an_earlier_run_left_is_gone_and_nothing_else(folder: Path) -> None:
    assert not (folder / "recording" / "old").exists()
    assert (folder / "notes.txt").exists()


@needs_ros
def test_stamps_are_those_of_the_source(folder: Path) -> None:
    source, found = stamps(folder / "source", IMAGE_TOPIC), {frame.stamp_ns for frame in recorded(folder).frames}
    assert len(source) == FRAMES
    assert found <= set(source)
    assert max(found) == source[-1], "the last frame was not waited for"


@needs_ros
def test_every_topic_is_recorded(folder: Path) -> None:
    with Bag(folder / "recording") as bag:
        assert set(bag.topics()) == set(RECORDED)


@needs_ros
def test_the_truth_stays_off_the_graph_but_in_the_bag(folder: Path) -> None:
    assert stamps(folder / "source", TRUTH_TOPIC) == stamps(folder / "source", IMAGE_TOPIC)


@needs_ros
@pytest.mark.parametrize("name", ["overlay.mp4", "tokens.mp4"])
def test_the_videos_have_every_processed_frame(folder: Path, summary: dict, name: str) -> None:
    with av.open(str(folder / name)) as video:
        assert sum(1 for _ in video.decode(video=0)) == summary["processed"] == len(recorded(folder).frames)


@needs_ros
@pytest.mark.parametrize("name", ["contact_sheet.png", "keep_ratio.png"])
def test_pictures_can_be_read_and_are_not_of_one_colour(folder: Path, name: str) -> None:
    assert cv2.imread(str(folder / name)).std() > 1


@needs_ros
def test_numbers_add_up(summary: dict) -> None:
    assert 1 <= summary["processed"] <= summary["received"] <= FRAMES
    assert summary["received"] == summary["processed"] + summary["dropped"]
    assert sum(summary["states"].values()) == len(summary["frames"]) == summary["processed"]
    assert 0 < summary["keep_ratio"]["min"] <= summary["keep_ratio"]["median"] <= summary["keep_ratio"]["max"] <= 1
    assert 0 < summary["processing_time"]["median"] <= summary["processing_time"]["p95"]
    assert {"encode", "motion", "search"} <= set(summary["stages"])


@needs_ros
def test_random_weights_are_told_and_not_scored(folder: Path, summary: dict) -> None:
    assert summary["untrained"] is True
    assert summary["j_and_f"] is None
    assert "UNTRAINED WEIGHTS" in (folder / "table.txt").read_text()


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["--video", "a.mp4"], "--description"),
        (["--bag", "a_bag"], "--description"),
        (["--frames", "0"], "--frames is 0"),
        (["--rate", "nan"], "--rate nan"),
        (["--set", "pruning.keep_ratio=2"], "pruning.keep_ratio is 2.0"),
    ],
)
def test_wrong_words_are_told_before_anything_is_made(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], words: list[str], told: str
) -> None:
    assert cli.main(["demo", "--out", str(tmp_path / "out"), *words]) == 2
    assert told in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_footage_among_the_results_is_not_removed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "recording").mkdir()
    words = ["--bag", str(tmp_path / "recording"), "--description", "mug", "--out", str(tmp_path)]
    assert cli.main(["demo", *words]) == 2
    assert "move it" in capsys.readouterr().err
    assert (tmp_path / "recording").is_dir()


def recorded(folder: Path) -> Recording:
    return Recording(folder / "recording")


def stamps(path: Path, topic: str) -> list[int]:
    with Bag(path) as bag:
        headers = [
            message_types().deserialize_cdr(item.data, item.connection.msgtype) for item in bag.messages([topic])
        ]
    return [stamp_to_ns(message.header.stamp) for message in headers]
