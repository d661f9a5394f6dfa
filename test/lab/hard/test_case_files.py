"""What is written where the real files are not beside the project."""

from __future__ import annotations

from pathlib import Path

import pytest

from fastsam2_ros.bags.frames import open_frames
from fastsam2_ros.errors import BagError, InputError
from fastsam2_ros.images import ImageDecoder
from fastsam2_ros.lab.hard import case_files
from fastsam2_ros.lab.hard.compressed import bad_files, png_bomb


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("files") / "cases"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(case_files, "BESIDE", place / "nowhere")
        return case_files.case_files(place)


@pytest.mark.parametrize(
    ("name", "count", "size"),
    [
        ("reset", 6, (48, 64)),
        ("firstzero", 6, (48, 64)),
        ("yuyv", 6, (48, 64)),
        ("nopad", 12, (48, 64)),
        ("wide1024x128", 3, (128, 1024)),
    ],
)
def test_frames_can_be_read(folder: Path, name: str, count: int, size: tuple[int, int]) -> None:
    frames = list(open_frames(folder / name))
    assert [frame.rgb.shape[:2] for frame in frames] == [size] * count


@pytest.mark.parametrize(
    ("name", "message"),
    [("trunc.avi", r"\d+ of 24 frames"), ("foxglove_protobuf.mcap", "not a ROS 2 bag.*protobuf")],
)
def test_what_is_wrong_is_told(folder: Path, name: str, message: str) -> None:
    with pytest.raises(BagError, match=message):
        list(open_frames(folder / name))


def test_a_bomb_is_a_small_file_of_a_large_picture() -> None:
    bomb = png_bomb()
    assert len(bomb) < 40_000
    with pytest.raises(InputError, match="megapixels"):
        ImageDecoder().decode_compressed("png", bomb)
    assert ImageDecoder().decode_compressed("png", png_bomb(64)).shape == (64, 64, 3)


@pytest.mark.parametrize("name", bad_files())
def test_bad_files_are_no_pictures(name: str) -> None:
    data, kind = bad_files()[name]
    with pytest.raises(InputError):
        ImageDecoder().decode_compressed(kind, data)
