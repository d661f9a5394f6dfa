"""Real pictures as they are read, filmed and cut out."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from fastsam2_ros.errors import InputError
from fastsam2_ros.lab.training import cutouts
from fastsam2_ros.lab.training.clips import ClipShape, Footage, clip_batch
from fastsam2_ros.lab.training.moving_camera import draw_quads, film
from fastsam2_ros.lab.training.stills import Still, open_reels, open_stills, single_objects

from .real import write_photograph, write_real

SIDE = 128


@pytest.fixture(scope="module")
def stills(tmp_path_factory):
    return open_stills(write_real(tmp_path_factory.mktemp("real")) / "train")


def reddest(frames: np.ndarray) -> np.ndarray:
    """Where an image is much more red than blue."""
    return frames[..., 0].astype(int) - frames[..., 2] > 60


def iou(one: np.ndarray, other: np.ndarray) -> float:
    return (one & other).sum() / max(1, (one | other).sum())


def test_a_photograph_knows_its_objects_names(stills):
    assert stills[0].names == {1: "box", 2: "ball"}


def test_numbers_are_read_as_they_are(tmp_path):
    _, ids = write_photograph(tmp_path / "stills" / "drawn", "one", {1: "box"})
    assert np.array_equal(open_stills(tmp_path)[0].read()[1], ids)


def test_a_folder_without_photographs_is_named(tmp_path):
    with pytest.raises(InputError, match="no photographs"):
        open_stills(tmp_path)


def test_a_crowd_under_one_number_is_left_out():
    ids = np.zeros((100, 100), np.uint8)
    for place in range(6):
        ids[10:20, 15 * place : 15 * place + 10] = 1
    ids[50:80, 10:60] = 2
    assert np.unique(single_objects(ids)).tolist() == [0, 2]


def test_a_thing_behind_a_post_is_one_thing():
    ids = np.zeros((100, 100), np.uint8)
    ids[20:60, 10:90] = 1
    ids[:, 45:50] = 0
    assert (single_objects(ids) == 1).sum() == (ids == 1).sum()


def test_a_speck_is_left_out():
    ids = np.zeros((100, 100), np.uint8)
    ids[50:52, 50:52] = 1
    assert not single_objects(ids).any()


def test_videos_are_optional(tmp_path):
    assert open_reels(tmp_path) == []


@pytest.mark.parametrize("seed", range(6))
def test_masks_move_with_the_picture(stills, seed):
    frames, ids = film(np.random.default_rng(seed), *stills[0].read(), 4, SIDE)
    for frame, labels in zip(frames, ids, strict=True):
        if (labels == 1).mean() > 0.02:
            assert iou(reddest(frame), labels == 1) > 0.85


def test_the_camera_moves():
    ids = np.zeros((120, 160), np.uint8)
    ids[40:80, 60:100] = 1
    quads = draw_quads(np.random.default_rng(0), ids, 6, 0.4)
    assert np.abs(quads[-1] - quads[0]).max() > 2


def test_a_clip_is_a_function_of_its_chance(stills):
    one, other = (film(np.random.default_rng(3), *stills[0].read(), 3, SIDE) for _ in range(2))
    assert np.array_equal(one[0], other[0])


def test_only_whole_objects_are_cut_out():
    image, ids = np.zeros((100, 100, 3), np.uint8), np.zeros((100, 100), np.uint8)
    ids[20:70, 0:45] = 1
    ids[20:70, 50:98] = 2
    assert set(cutouts.whole_objects(image, ids)) == {2}


def test_a_sprite_is_the_object_alone(stills):
    image, ids = stills[0].read()
    sprite = cutouts.whole_objects(image, ids)[2].sprite(np.random.default_rng(0), 40.0, 0.0)
    alpha = sprite.rgba[..., 3]
    assert alpha[0].max() == 0
    assert alpha[alpha.shape[0] // 2, alpha.shape[1] // 2] == 255
    # A disc of 80 pixels less one all around, in a picture with two more on each side.
    assert (alpha > 127).mean() == pytest.approx(np.pi / 4 * (77 / 84) ** 2, abs=0.03)


def test_cut_out_objects_are_where_their_masks_say(stills):
    frames, ids, _ = cutouts.shoot(np.random.default_rng(2), stills, 3, (SIDE, SIDE), 1, trial=False)
    assert frames.shape == (3, SIDE, SIDE, 3)
    edges = [cv2.Canny(frame, 50, 150) > 0 for frame in frames]
    outline = cv2.morphologyEx((ids[0] > 0).astype(np.uint8), cv2.MORPH_GRADIENT, np.ones((5, 5), np.uint8)) > 0
    assert edges[0][outline].mean() > 2 * edges[0][~outline].mean()


def test_clips_of_real_footage_alone(stills):
    batch = clip_batch(0, 0, ClipShape(side=96, frames=2, clips=3, targets=2), footage=Footage(stills, generated=0.0))
    assert batch.frames.shape == (3, 2, 96, 96, 3)
    assert batch.masks[:, 0].flatten(1).any(1).all()


def test_a_batch_with_real_footage_repeats(stills):
    shape, footage = ClipShape(side=96, frames=2, clips=3, targets=2), Footage(stills)
    one, other = (clip_batch(0, 5, shape, footage=footage) for _ in range(2))
    assert (one.frames == other.frames).all()


def test_a_photograph_is_drawn_as_often_as_it_shows_named_things():
    one, four = Still(Path("one"), Path("one")), Still(Path("four"), Path("four"), dict.fromkeys(range(1, 5), "cup"))
    rng, footage = np.random.default_rng(0), Footage([one, four])
    drawn = {most: sum(footage.still(rng, most) is four for _ in range(600)) / 600 for most in (1, 2, 6)}
    assert drawn == pytest.approx({1: 1 / 2, 2: 2 / 3, 6: 4 / 5}, abs=0.06)
