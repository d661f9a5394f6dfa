import numpy as np
import pytest

from fastsam2_ros.lab.synthetic.looks import COLOURS, SHAPES, Look
from fastsam2_ros.lab.synthetic.shapes import outline
from fastsam2_ros.lab.synthetic.sprites import thing


def sprite(look: Look, seed: int = 0, scale: float = 40):
    rng = np.random.default_rng(seed)
    return thing(rng, look, outline(look.shape, rng), scale, 1.0)


@pytest.mark.parametrize("shape", SHAPES)
def test_every_shape_fills_a_part_of_its_box_and_reaches_its_rim(shape: str) -> None:
    for seed in range(4):
        mask = sprite(Look("red", "plain", shape), seed).rgba[..., 3] > 127
        rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
        assert 75 <= max(np.ptp(rows), np.ptp(columns)) + 1 <= 83
        inner = mask[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
        assert 0.15 < inner.mean() < 0.99


def test_shapes_are_not_alike() -> None:
    def silhouette(shape: str) -> np.ndarray:
        mask = sprite(Look("red", "plain", shape)).rgba[..., 3] > 127
        square = np.zeros((90, 90), bool)
        square[: mask.shape[0], : mask.shape[1]] = mask
        return square

    masks = [silhouette(shape) for shape in SHAPES]
    for number, first in enumerate(masks):
        for second in masks[:number]:
            assert (first & second).sum() / (first | second).sum() < 0.95


@pytest.mark.parametrize("colour", COLOURS)
def test_a_plain_thing_has_its_colour(colour: str) -> None:
    rgba = sprite(Look(colour, "plain", "ball"), 3).rgba
    red, green, blue = rgba[rgba[..., 3] > 250][:, :3].astype(float).mean(0)
    true = {
        "red": red > 1.5 * max(green, blue),
        "orange": red > green > 1.5 * blue,
        "yellow": min(red, green) > 1.4 * blue and abs(red - green) < 0.25 * red,
        "green": green > 1.3 * max(red, blue),
        "blue": blue > 1.3 * max(red, green),
        "purple": min(red, blue) > 1.2 * green,
        "black": max(red, green, blue) < 110,
        "white": min(red, green, blue) > 120,
    }
    assert true[colour]


@pytest.mark.parametrize("pattern", ["striped", "dotted", "checked", "marbled"])
def test_a_pattern_is_seen_and_leaves_the_colour_its_share(pattern: str) -> None:
    def insides(name: str) -> list[np.ndarray]:
        pictures = [sprite(Look("red", name, "ball"), seed, 80).rgba.astype(float) for seed in range(8)]
        return [picture[picture[..., 3] > 250] for picture in pictures]

    # Neither on white nor on black are red and green far apart.
    share = np.mean([(inside[:, 0] - inside[:, 1] > 70).mean() for inside in insides(pattern)])
    assert 0.4 < share < 0.9
    contrast = [np.median([inside[:, :3].sum(1).std() for inside in insides(name)]) for name in (pattern, "plain")]
    assert contrast[0] > 1.4 * contrast[1]


def test_a_ball_is_brighter_towards_the_light() -> None:
    rng = np.random.default_rng(0)
    look = Look("white", "plain", "ball")
    rgba = thing(rng, look, outline("ball", rng), 40, 0.0).rgba.astype(float)  # from the right
    width = rgba.shape[1]
    assert rgba[:, width // 2 : -8, :3].sum() > 1.03 * rgba[:, 8 : width // 2, :3].sum()
