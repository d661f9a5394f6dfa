import argparse
import logging
import multiprocessing
import signal
import subprocess
import sys
import threading
from importlib import import_module
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from fastsam2_ros.bags.frames import open_frames
from fastsam2_ros.bags.make import frame_count, image_size
from fastsam2_ros.bags.messages import IMAGE, image_message
from fastsam2_ros.bags.track import add_settings, box, settings
from fastsam2_ros.bags.write import BagWriter
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


ODD = "\x1b[2J\u202e[/red]"
"""What a terminal would obey, what hides the order of letters, and an end of colours that never began."""


def test_what_a_terminal_would_obey_is_escaped_in_errors(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["bag", str(tmp_path / f"{ODD}.mp4"), str(tmp_path / "out")]) == 2
    said = capsys.readouterr().err.removesuffix("\n")
    assert said.isprintable()
    assert r"\x1b[2J\u202e[/red].mp4" in said


def test_what_a_terminal_would_obey_is_escaped_in_warnings(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(logging.getLogger(), "handlers", [])  # pytest's own
    with BagWriter(tmp_path / "bag") as bag:
        bag.add_topic(f"/{ODD}", IMAGE)
        for number, encoding in enumerate(("rgb8", "rgb9")):
            message = image_message(np.zeros((8, 8, 3), np.uint8), "rgb8", number, "camera")
            message.encoding = encoding
            bag.write(f"/{ODD}", number, message)
    assert main(["bag", str(tmp_path / "bag"), str(tmp_path / "out")]) == 0
    said = [line for line in capsys.readouterr().err.splitlines() if "WARNING" in line]
    assert len(said) == 1
    assert said[0].isprintable()
    assert "rgb9" in said[0]


def test_a_source_may_have_any_name(tmp_path: Path) -> None:
    (tmp_path / "[" / "red]").mkdir(parents=True)
    Image.new("RGB", (8, 8)).save(tmp_path / "[" / "red]" / "0.png")
    assert main(["bag", str(tmp_path / "[" / "red]"), str(tmp_path / "out")]) == 0


def test_ctrl_c_has_its_usual_exit_code(monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(_: argparse.Namespace) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(import_module("fastsam2_ros.bags.make"), "run", interrupted)
    assert main(["bag", "a", "b"]) == 130


@pytest.mark.parametrize(
    ("error", "line"),
    [
        (PermissionError(13, "Permission denied", "/root/x"), "[Errno 13] Permission denied: '/root/x'"),
        (OSError(28, "No space left on device"), "[Errno 28] No space left on device"),
        (UnicodeEncodeError("utf-8", "\udcff", 0, 1, "surrogates not allowed"), "'\\udcff' is not valid UTF-8."),
        (InputError("two\nlines"), "two lines"),
    ],
)
def test_what_goes_wrong_outside_is_one_line(
    error: Exception, line: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def failing(_: argparse.Namespace) -> None:
        raise error

    monkeypatch.setattr(import_module("fastsam2_ros.bags.make"), "run", failing)
    assert main(["bag", "a", "b"]) == 2
    assert capsys.readouterr().err == f"fastsam2: error: {line}\n"


def test_sigterm_ends_a_command_as_ctrl_c_does(monkeypatch: pytest.MonkeyPatch) -> None:
    closed = []

    def terminated(_: argparse.Namespace) -> None:
        try:
            signal.raise_signal(signal.SIGTERM)
        finally:
            closed.append(True)

    before = signal.getsignal(signal.SIGTERM)
    monkeypatch.setattr(import_module("fastsam2_ros.bags.make"), "run", terminated)
    assert main(["bag", "a", "b"]) == 143
    assert closed
    assert signal.getsignal(signal.SIGTERM) == before


def test_a_process_that_a_command_makes_ends_by_sigterm_without_a_word(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    def forking(_: argparse.Namespace) -> None:
        child = multiprocessing.get_context("fork").Process(target=threading.Event().wait)
        child.start()
        child.terminate()
        child.join()
        assert child.exitcode == -signal.SIGTERM

    monkeypatch.setattr(import_module("fastsam2_ros.bags.make"), "run", forking)
    assert main(["bag", "a", "b"]) == 0
    assert capfd.readouterr().err == ""


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
        (["--set", "max_targets=many"], "must be a whole number"),
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


@pytest.mark.parametrize(
    ("option", "value"), [("--rate", "1e-300"), ("--rate", "nan"), ("--start", "nan"), ("--start", "-5")]
)
def test_times_that_cannot_be_are_named(
    option: str, value: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    Image.new("RGB", (8, 8)).save(tmp_path / "0.png")
    assert main(["bag", str(tmp_path), str(tmp_path / "bag"), option, value]) == 2
    assert f"{option} is {float(value)}" in capsys.readouterr().err


@pytest.mark.parametrize("text", ["", "0", "-3", "1.5", "many", "9" * 30])
def test_what_is_no_number_of_frames_is_refused(text: str) -> None:
    with pytest.raises(argparse.ArgumentTypeError, match="no number of frames"):
        frame_count(text)


def test_a_size_that_fills_all_memory_is_refused() -> None:
    with pytest.raises(argparse.ArgumentTypeError, match="more than 178 megapixels"):
        image_size("99999x99999")


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
        (["replay", __file__], "is no bag; give the folder of one"),
        (["soak", "--frames", "0"], "--frames is 0"),
        (
            ["track", "a", "--box", "1,1,9,9", "--set", "model.seed=99999999999999999999"],
            "model.seed is 99999999999999999999",
        ),
    ],
)
def test_impossible_requests_are_named(words: list[str], message: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(words) == 2
    assert message in capsys.readouterr().err
