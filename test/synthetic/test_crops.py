import numpy as np

from fastsam2_ros.synthetic.crops import crops
from fastsam2_ros.synthetic.vocabulary import COLOURS, PATTERNS, SHAPES


def test_crops_show_what_they_tell() -> None:
    batch = crops(1, 20, 64)
    assert batch.images.shape == (20, 64, 64, 3)
    assert batch.masks.shape == (20, 64, 64)
    assert (batch.masks.mean((1, 2)) > 0.01).all()
    for look in batch.looks:
        assert look.colour in COLOURS
        assert look.pattern in PATTERNS
        assert look.shape in SHAPES


def test_the_same_seed_gives_the_same_crops() -> None:
    first, second = crops(3, 4, 64), crops(3, 4, 64)
    np.testing.assert_array_equal(first.images, second.images)
    assert first.looks == second.looks


def test_another_seed_gives_others() -> None:
    assert crops(3, 4, 64).looks != crops(4, 4, 64).looks
