import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from rosbags.highlevel import AnyReader

from fastsam2_ros.bags.frames import open_frames
from fastsam2_ros.cli import main
from fastsam2_ros.errors import InputError
from fastsam2_ros.lab.synthetic.world import generate
from fastsam2_ros.lab.synthetic.write import DESCRIPTION_TOPIC, IMAGE_TOPIC, LABELS_TOPIC, write_bag, write_davis

CLIP = generate(7, 2, 3, (96, 128))


def test_annotations_of_the_davis_folder_are_the_ids(tmp_path: Path) -> None:
    assert write_davis([CLIP], tmp_path) == ["level2_0000007"]
    stored = [np.array(Image.open(tmp_path / f"Annotations/480p/level2_0000007/{n:05d}.png")) for n in range(3)]
    np.testing.assert_array_equal(stored, CLIP.ids)
    assert len(list((tmp_path / "JPEGImages/480p/level2_0000007").glob("*.jpg"))) == 3
    assert (tmp_path / "ImageSets/2017/val.txt").read_text() == "level2_0000007\n"


def test_the_davis_folder_tells_what_its_target_is(tmp_path: Path) -> None:
    write_davis([CLIP], tmp_path)
    told = json.loads((tmp_path / "descriptions.json").read_text())["level2_0000007"]
    assert (told["description"], told["target"], told["group"]) == (CLIP.description, CLIP.target, "level 2")
    assert tuple(told["absent"]) == CLIP.absent


def test_a_data_set_is_not_written_over(tmp_path: Path) -> None:
    write_davis([CLIP], tmp_path)
    with pytest.raises(InputError, match="already"):
        write_davis([CLIP], tmp_path)


def test_the_bag_holds_images_labels_and_the_description(tmp_path: Path) -> None:
    write_bag(CLIP, tmp_path / "bag")
    frames = list(open_frames(tmp_path / "bag", IMAGE_TOPIC))
    np.testing.assert_array_equal([frame.rgb for frame in frames], CLIP.frames)
    with AnyReader([tmp_path / "bag"]) as reader:
        labels, stamps, texts = [], [], []
        for connection, _, data in reader.messages():
            message = reader.deserialize(data, connection.msgtype)
            if connection.topic == LABELS_TOPIC:
                labels.append(message.data.view("<u2").reshape(96, 128))
                stamps.append(message.header.stamp.sec * 10**9 + message.header.stamp.nanosec)
            elif connection.topic == DESCRIPTION_TOPIC:
                texts.append(message.data)
    np.testing.assert_array_equal(labels, CLIP.ids)
    assert stamps == [frame.stamp_ns for frame in frames]
    assert texts == [CLIP.description]


def test_the_command_writes_clips_of_rising_seeds(tmp_path: Path) -> None:
    out = tmp_path / "world"
    words = ["--seed", "5", "--count", "2", "--frames", "2", "--size", "96x64", "--level", "1"]
    assert main(["world", str(out), *words]) == 0
    assert (out / "ImageSets/2017/val.txt").read_text() == "level1_0000005\nlevel1_0000006\n"


def test_the_command_writes_a_bag(tmp_path: Path) -> None:
    out = tmp_path / "bag"
    assert main(["world", str(out), "--frames", "2", "--size", "96x64", "--format", "bag"]) == 0
    assert sum(1 for _ in open_frames(out, IMAGE_TOPIC)) == 2


def test_no_clips_are_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["world", str(tmp_path / "x"), "--count", "0"]) == 2
    assert "--count" in capsys.readouterr().err
