"""What torch draws is what OpenCV draws."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from fastsam2_ros.lab.synthetic import film, torch_film, world
from fastsam2_ros.lab.synthetic.camera import draw_optics
from fastsam2_ros.lab.synthetic.scene import stage

SIZE = (120, 160)
FRAMES = 5
CPU = torch.device("cpu")


def shots(seed: int, level: int, **exposure) -> tuple[film.Film, film.Film]:
    """One scene without noise, by both."""
    rng = np.random.default_rng(seed)
    times = np.arange(FRAMES) / 6
    scene = stage(rng, level, times, SIZE)
    optics = replace(draw_optics(rng, level, times, SIZE), sigma=0.0, **{"quality": 0, **exposure})
    return film.shoot(rng, scene, optics, FRAMES, SIZE, 5), torch_film.shoot(rng, scene, optics, FRAMES, SIZE, 5, CPU)


@pytest.mark.parametrize("level", [1, 2, 3])
@pytest.mark.parametrize("seed", range(3))
def test_pictures_and_masks_agree(seed: int, level: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch_film, "CHUNK", 2)  # so that chunks have to fit together
    one, other = shots(seed, level)
    difference = np.abs(one.images.astype(int) - other.images)
    assert difference.mean() < 1
    # Edges by a part of a pixel; and what is blurred into the frame from beyond it, which torch does not draw.
    assert np.quantile(difference, 0.995) <= 12
    assert (one.ids != other.ids).mean() < 0.002
    shown = one.areas > 200  # elsewhere the rim is a large part
    np.testing.assert_allclose(other.areas[shown], one.areas[shown], rtol=0.05)


def test_jpeg_is_one() -> None:
    plain, poor = shots(0, 2)[1], shots(0, 2, quality=20)[1]
    difference = np.abs(plain.images.astype(int) - poor.images)
    assert 0.5 < difference.mean() < 15


def test_only_the_noise_differs_from_opencvs_clip() -> None:
    drawn = world.generate(3, 3, FRAMES, SIZE, stride=5, device=CPU)
    usual = world.generate(3, 3, FRAMES, SIZE, stride=5)
    assert (drawn.description, drawn.objects, drawn.absent) == (usual.description, usual.objects, usual.absent)
    np.testing.assert_allclose(drawn.visible, usual.visible, atol=0.05)
    again = world.generate(3, 3, FRAMES, SIZE, stride=5, device=CPU)
    np.testing.assert_array_equal(drawn.frames, again.frames)
