from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from fastsam2_ros.errors import InputError
from fastsam2_ros.lab.evaluation.labels import read_labels, write_labels

from .footage import ids, square, write_masks


def test_a_palette_holds_ids_and_void(tmp_path) -> None:
    write_masks(tmp_path / "x", {"0": ids(o3=0, o255=20)})
    image = read_labels(tmp_path / "x" / "0.png")
    assert set(np.unique(image.labels)) == {0, 3}
    np.testing.assert_array_equal(image.void, square(20))


def test_a_palette_of_void_alone_is_no_object(tmp_path) -> None:
    write_masks(tmp_path / "x", {"0": ids(o255=20)})
    assert not read_labels(tmp_path / "x" / "0.png").labels.any()


def test_grey_of_0_and_255_is_a_mask(tmp_path) -> None:
    write_masks(tmp_path / "x", {"0": ids(o255=20)}, palette=False)
    image = read_labels(tmp_path / "x" / "0.png")
    np.testing.assert_array_equal(image.labels, square(20))
    assert image.void is None


def test_grey_of_ids_is_ids(tmp_path) -> None:
    write_masks(tmp_path / "x", {"0": ids(o1=0, o2=20)}, palette=False)
    assert set(np.unique(read_labels(tmp_path / "x" / "0.png").labels)) == {0, 1, 2}


def test_one_bit_is_a_mask(tmp_path) -> None:
    Image.fromarray(square(5)).save(tmp_path / "0.png")
    np.testing.assert_array_equal(read_labels(tmp_path / "0.png").labels, square(5))


def test_16_bits_hold_ids_above_255(tmp_path) -> None:
    labels = np.zeros((24, 32), np.uint16)
    labels[square(2)], labels[square(20)] = 255, 40_000
    write_masks(tmp_path / "x", {"0": labels}, palette=False)
    image = read_labels(tmp_path / "x" / "0.png")
    assert set(np.unique(image.labels)) == {0, 255, 40_000}
    assert image.void is None


def test_rgb_holds_ids_above_16_bits(tmp_path) -> None:
    labels = np.zeros((24, 32, 3), np.uint8)
    labels[square(2)] = (44, 1, 0)
    labels[square(20)] = (1, 2, 3)
    write_masks(tmp_path / "x", {"0": labels}, palette=False)
    assert set(np.unique(read_labels(tmp_path / "x" / "0.png").labels)) == {0, 300, 1 + 512 + 3 * 65536}


@pytest.mark.parametrize("numbers", [(0, 1, 254), (0, 1, 255), (0, 7, 65_535), (0,)])
def test_what_is_written_is_read(tmp_path, numbers: tuple[int, ...]) -> None:
    labels = np.resize(np.array(numbers, np.int32), (24, 32))
    write_labels(tmp_path / "0.png", labels)
    image = read_labels(tmp_path / "0.png")
    np.testing.assert_array_equal(image.labels, labels)
    assert image.void is None


def test_a_missing_file_is_named(tmp_path) -> None:
    with pytest.raises(InputError, match=r"none\.png"):
        read_labels(tmp_path / "none.png")


def test_a_damaged_file_is_named(tmp_path) -> None:
    write_masks(tmp_path / "x", {"0": ids(o1=3)})
    file = tmp_path / "x" / "0.png"
    file.write_bytes(file.read_bytes()[:-30])
    with pytest.raises(InputError, match=r"0\.png"):
        read_labels(file)
