"""The neck that streaming computes by itself: upstream's maps, but for rounding."""

from __future__ import annotations

import cv2
import pytest
import torch

from fastsam2_ros.streaming import loading, neck
from fastsam2_ros.streaming.model import StreamingSam2

SIDES = {"mini": 256, "tiny": 256}


@pytest.fixture(scope="module", params=SIDES)
def model(request):
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(1)
        return loading.build(loading.find_config(request.param), {"image_size": SIDES[request.param]})


@pytest.fixture
def images(model):
    return torch.randn(2, 3, model.image_size, model.image_size, generator=torch.Generator().manual_seed(0))


def relative(found, expected):
    """Largest difference, as a share of the largest value."""
    return float((found - expected).abs().max() / expected.abs().max())


@torch.inference_mode()
def test_every_map_is_that_of_forward_image(model, images):
    expected = model.forward_image(images)["backbone_fpn"]
    found = neck.project(model, model.image_encoder.trunk(images))
    assert [each.shape for each in found] == [each.shape for each in expected]
    assert max(map(relative, found, expected)) <= 1e-5


@torch.inference_mode()
def test_weights_that_change_later_are_followed(model, images):
    before = neck.project(model, model.image_encoder.trunk(images))[0]
    bias = model.sam_mask_decoder.conv_s0.bias
    bias += 1
    after = neck.project(model, model.image_encoder.trunk(images))[0]
    bias -= 1
    torch.testing.assert_close(after, before + 1)


def test_tokens_lie_together_in_memory(model, noise_frame):
    features = StreamingSam2(model).encode(noise_frame)
    assert features.tokens.is_contiguous()


@pytest.mark.parametrize(("name", "value"), [("fuse_type", "avg"), ("fpn_top_down_levels", [0, 1, 2, 3])])
def test_a_neck_of_another_shape_is_left_to_upstream(model, noise_frame, monkeypatch, name, value):
    monkeypatch.setattr(model.image_encoder.neck, name, value)
    # Of the encoder's own size, so that there is nothing to resize: upstream does that by another library.
    frame = cv2.resize(noise_frame, (model.image_size, model.image_size))
    found = StreamingSam2(model).encode(frame).maps
    expected = StreamingSam2(model, upstream_encoder=True).encode(frame).maps
    assert all(torch.equal(mine, theirs) for mine, theirs in zip(found, expected, strict=True))
