"""All maps of a trunk as one."""

from __future__ import annotations

import pytest
import timm
import torch

from fastsam2_ros.language.pyramid import STRIDE, Pyramid

NAME = "tf_efficientnet_lite0"
CHANNELS = [24, 40, 112, 1280]


@pytest.fixture(scope="module")
def classifier():
    torch.manual_seed(0)
    return timm.create_model(NAME, pretrained=False).eval()


@pytest.fixture(scope="module")
def pyramid(classifier):
    pyramid = Pyramid(NAME).eval()
    pyramid.load_classifier(classifier)
    return pyramid


@pytest.fixture(scope="module")
def images():
    return torch.rand(2, 3, 96, 160, generator=torch.Generator().manual_seed(1))


@torch.inference_mode()
def test_the_map_has_the_channels_of_all_and_the_stride_of_the_third(pyramid, images):
    assert pyramid.forward_features(images).shape == (2, sum(CHANNELS), 96 // STRIDE, 160 // STRIDE)


@torch.inference_mode()
def test_sides_are_rounded_up(pyramid):
    assert pyramid.forward_features(torch.zeros(1, 3, 33, 17)).shape[-2:] == (3, 2)


@torch.inference_mode()
def test_the_last_channels_are_the_classifier_s(pyramid, classifier, images):
    pooled = pyramid(images)[:, -CHANNELS[-1] :]
    torch.testing.assert_close(pooled, classifier.forward_features(images).mean((2, 3)), atol=1e-4, rtol=1e-3)


@torch.inference_mode()
def test_the_first_channels_are_means_of_the_finest_map(pyramid, images):
    finest = pyramid.stages(images)[0].unflatten(3, (10, 4)).unflatten(2, (6, 4)).mean((3, 5))
    torch.testing.assert_close(pyramid.forward_features(images)[:, : CHANNELS[0]], finest)


@torch.inference_mode()
def test_channels_are_centred_and_scaled(classifier, images):
    pyramid = Pyramid(NAME).eval()
    pyramid.load_classifier(classifier)
    before = pyramid(images)
    pyramid.mean += 2.0
    pyramid.scale *= 3.0
    torch.testing.assert_close(pyramid(images), 3 * (before - 2), atol=1e-4, rtol=1e-4)
