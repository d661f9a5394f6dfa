import argparse
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from fastsam2_ros.bags.frames import open_frames
from fastsam2_ros.bags.make import image_size
from fastsam2_ros.bags.track import add_settings, box, settings
from fastsam2_ros.cli import COMMANDS, main
from fastsam2_ros.errors import InputError


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_has_help_with_an_example(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as leaving:
        main([name, "--help"])
    assert leaving.value.code == 0
    assert f"example:\n  fastsam2 {name} " in capsys.readouterr().out


@pytest.mark.parametrize("words", [[], ["--help"], ["-h"]])
def test_the_overview_lists_the_commands(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as leaving:
        main(words)
    assert leaving.value.code == 0
    shown = capsys.readouterr().out
    assert all(summary in shown for _, summary in COMMANDS.values())


def test_an_unknown_command_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as leaving:
        main(["trakc"])
    assert leaving.value.code == 2
    assert "'trakc'" in capsys.readouterr().err


def test_the_version_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["--version"])
    assert capsys.readouterr().out.startswith("fastsam2 0.")


def test_an_error_is_one_line_without_a_traceback(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["bag", str(tmp_path / "missing.mp4"), str(tmp_path / "out")]) == 2
    error = capsys.readouterr().err
    assert error.startswith("fastsam2: error: There is no bag, video or image folder ")
    assert error.count("\n") == 1


def test_ctrl_c_has_its_usual_exit_code(monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(_: argparse.Namespace) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(import_module("fastsam2_ros.bags.make"), "run", interrupted)
    assert main(["bag", "a", "b"]) == 130


def test_a_command_is_imported_only_when_it_is_called() -> None:
    code = "import sys, fastsam2_ros.cli; sys.exit(any(m in sys.modules for m in ('torch', 'rclpy', 'cv2', 'rosbags')))"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_a_folder_of_images_becomes_a_bag(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "images").mkdir()
    for number in range(3):
        Image.fromarray(np.full((8, 8, 3), number, np.uint8)).save(tmp_path / "images" / f"{number}.png")
    assert main(["bag", str(tmp_path / "images"), str(tmp_path / "bag"), "--size", "16x4", "--rate", "5"]) == 0
    frames = list(open_frames(tmp_path / "bag"))
    assert [frame.stamp_ns for frame in frames] == [0, 200_000_000, 400_000_000]
    assert frames[0].rgb.shape == (4, 16, 3)
    assert "3 frames on /camera/image_raw" in capsys.readouterr().out


@pytest.mark.parametrize("words", [[], ["--description", "  "]])
def test_track_needs_something_to_track(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["track", "video.mp4", *words]) == 2
    assert "Nothing to track" in capsys.readouterr().err


def parsed_settings(*words: str):
    parser = argparse.ArgumentParser()
    add_settings(parser)
    return settings(parser.parse_args(words))


def test_settings_take_the_type_of_the_option() -> None:
    config = parsed_settings(
        "--model", "small", "--set", "max_targets=3", "--set", "pruning.text_weight=0.5", "--set", "language.name=RN50"
    )
    assert (config.model.name, config.max_targets, config.pruning.text_weight) == ("small", 3, 0.5)
    assert config.language.name == "RN50"


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--set", "max_targets"], "NAME=VALUE"),
        (["--set", "max_targets=many"], "type int"),
        (["--set", "no.such=1"], r"no setting 'no\.such'"),
        (["--set", "max_targets=0"], "must lie between"),
        (["--keep-ratio", "1.5"], "must lie between"),
        (["--keep-ratio", "nan"], "must lie between"),
    ],
)
def test_bad_settings_are_named(words: list[str], message: str) -> None:
    with pytest.raises(InputError, match=message):
        parsed_settings(*words)


def test_a_box_is_four_numbers() -> None:
    assert box("1,2.5,3,4") == (1.0, 2.5, 3.0, 4.0)


@pytest.mark.parametrize("text", ["", "1,2,3", "1,2,3,x", "1,2,3,4,5"])
def test_what_is_no_box_is_refused(text: str) -> None:
    with pytest.raises(argparse.ArgumentTypeError, match="no box"):
        box(text)


@pytest.mark.parametrize("text", ["", "640", "0x480", "axb", "-1x5", "640x"])
def test_what_is_no_size_is_refused(text: str) -> None:
    with pytest.raises(argparse.ArgumentTypeError, match="no size"):
        image_size(text)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["record", "out"], "Name the topics"),
        (["record", "out", "/a", "--all"], "Name the topics"),
        (["replay", "nothing"], "There is no bag nothing"),
    ],
)
def test_impossible_requests_are_named(words: list[str], message: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(words) == 2
    assert message in capsys.readouterr().err
