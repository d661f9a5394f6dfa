"""What stands in for tokens that are left out, on tiny tensors."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from small_models import small_sam2

from fastsam2_ros.config import PruningConfig, flat_options
from fastsam2_ros.lab.evaluation.upstream import noise_video
from fastsam2_ros.streaming.fills import FEEDFORWARD, FILLS, LOOK_BACK, MOVED, NEAREST, PREVIOUS, RAW, Partial, fill
from fastsam2_ros.streaming.model import STILL, StreamingSam2
from fastsam2_ros.streaming.prompts import Prompt

GRID = (3, 4)
WIDTH = 128
KEPT = [1, 6, 11]


@pytest.fixture(scope="module")
def model():
    return small_sam2()


@pytest.fixture
def partial(model):
    generator = torch.Generator().manual_seed(0)

    def some(rows):
        return torch.randn(rows, WIDTH, generator=generator)

    return Partial(
        output=some(3),
        kept=torch.tensor(KEPT),
        tokens=some(12),
        positions=some(12),
        raw=some(12),
        before=some(12),
        grid=GRID,
        camera=STILL,
        attention=model.memory_attention,
    )


def with_camera(partial, x, y):
    camera = np.array([[1.0, 0, x / GRID[1]], [0, 1.0, y / GRID[0]]])  # from tokens to shares of the frame
    return Partial(**{**vars(partial), "camera": camera})


def test_every_setting_has_its_policy():
    assert set(flat_options()["pruning.fill"].metadata["choices"]) == set(FILLS)
    assert PruningConfig().fill in FILLS


@pytest.mark.parametrize("name", sorted(FILLS))
@torch.inference_mode()
def test_conditioned_tokens_stay_as_they_are(partial, name):
    whole = fill(name, partial)
    assert whole.shape == (12, WIDTH)
    assert torch.equal(whole[KEPT], partial.output)


@pytest.mark.parametrize(("name", "source"), [(PREVIOUS, "before"), (RAW, "raw"), (MOVED, "before")])
def test_others_are_taken_over(partial, name, source):
    others = [n for n in range(12) if n not in KEPT]
    assert torch.equal(fill(name, partial)[others], getattr(partial, source)[others])


def test_moved_goes_with_the_camera(partial):
    """The background goes one token to the right: what was left of a place is there now; the left edge stays."""
    whole = fill(MOVED, with_camera(partial, 1, 0))
    assert (whole[2] - partial.before[1]).abs().max() <= 1e-4
    assert (whole[7] - partial.before[6]).abs().max() <= 1e-4
    assert (whole[0] - partial.before[0]).abs().max() <= 1e-4
    assert torch.equal(fill(PREVIOUS, with_camera(partial, 1, 0))[2], partial.before[2])


def test_moved_goes_down_too(partial):
    whole = fill(MOVED, with_camera(partial, 0, 1))
    assert (whole[4] - partial.before[0]).abs().max() <= 1e-4


def test_nearest_is_the_nearest_on_the_grid(partial):
    whole = fill(NEAREST, partial)
    # The grid is 3 x 4: token 1 is at (0, 1), 6 at (1, 2), 11 at (2, 3).
    for token, row in {0: 0, 5: 0, 4: 0, 7: 1, 10: 1, 3: 1, 8: 0}.items():
        assert torch.equal(whole[token], partial.output[row]), token


@torch.inference_mode()
def test_feedforward_is_attention_without_its_attentions(partial):
    output = partial.tokens + 0.1 * partial.positions
    for layer in partial.attention.layers:
        output = output + layer.linear2(layer.linear1(layer.norm3(output)).relu())
    expected = partial.attention.norm(output)
    others = [n for n in range(12) if n not in KEPT]
    assert (fill(FEEDFORWARD, partial)[others] - expected[others]).abs().max() <= 1e-6


@pytest.mark.parametrize("name", sorted(FILLS))
def test_a_video_goes_through_with_every_policy(model, name):
    """And only the policies that look back hold a frame's features."""
    sam = StreamingSam2(model)
    video = noise_video(3, (96, 128))
    memory = sam.new_memory()
    features = sam.encode(video[0])
    sam.remember_prompt(features, sam.decode_prompt(features, Prompt.from_box((20, 20, 50, 40))), memory, 0)
    kept = torch.arange(0, sam.token_count, 3)
    for index in (1, 2):
        features = sam.encode(video[index])
        whole = sam.condition(features, [memory], index, [kept], name, np.array([[1, 0, 0.05], [0, 1, 0]]))
        assert torch.isfinite(whole).all()
        assert (memory.conditioned is not None) == (name in LOOK_BACK)
        sam.remember(features, sam.decode(features, whole), [memory], index)
