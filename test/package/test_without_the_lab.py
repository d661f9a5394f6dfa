"""On a robot: the package as it is without what the extra `lab` brings."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

# Imported before the command: the lab's libraries are not to be had then.
ABSENT = (
    "import sys; sys.modules.update(matplotlib=None, skimage=None); from fastsam2_ros.cli import main; sys.exit(main())"
)


def fastsam2(*words):
    return subprocess.run([sys.executable, "-c", ABSENT, *words], capture_output=True, text=True, check=False)


def test_a_clip_is_tracked(tmp_path):
    clip = tmp_path / "clip"
    clip.mkdir()
    for index in range(3):
        frame = np.full((96, 128, 3), 60, np.uint8)
        frame[30:60, 20 + 5 * index : 60 + 5 * index] = (220, 40, 40)
        Image.fromarray(frame).save(clip / f"{index}.png")
    ended = fastsam2("track", str(clip), "--box", "20,30,40,30", "--out", str(tmp_path / "out"))
    assert ended.returncode == 0, ended.stderr
    assert len(list((tmp_path / "out").rglob("*.png"))) >= 3


@pytest.mark.parametrize("words", [["ablate", "--help"], ["train", "sam2", "--help"]])
def test_help_of_the_lab_is_there(words):
    assert fastsam2(*words).returncode == 0


def test_a_command_of_the_lab_names_the_extra(tmp_path):
    ended = fastsam2("world", str(tmp_path / "worlds"), "--count", "1")
    assert ended.returncode == 2
    assert "pip install 'fastsam2_ros[lab]'" in ended.stderr
    assert len(ended.stderr.strip().splitlines()) == 1
