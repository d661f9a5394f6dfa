"""All maps of a trunk as one."""

from __future__ import annotations

import pytest
import timm
import torch

from fastsam2_ros.language.pyramid import RANDOM_FEATURES, STRIDE, Pyramid

NAME = "tf_efficientnet_lite0"
CHANNELS = [24, 40, 112, 3 * RANDOM_FEATURES, 1280]


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


@torch.inference_mode()
def test_within_a_mask_over_all_is_the_mean(pyramid, images):
    masks = torch.stack((torch.ones(2, 6, 10), torch.zeros(2, 6, 10)), dim=1)  # of an empty one all counts
    torch.testing.assert_close(pyramid.within(images, masks), pyramid(images)[:, None].expand(-1, 2, -1))


@torch.inference_mode()
def test_each_map_is_cut_at_its_own_stride(pyramid, images):
    masks = torch.zeros(2, 1, 96, 160)
    masks[..., :20] = 1.0  # five columns of the finest map; less than two of the coarsest
    finest = pyramid.stages(images)[0][..., :5].mean((2, 3))
    torch.testing.assert_close(pyramid.within(images, masks)[:, 0, : CHANNELS[0]], finest)


@torch.inference_mode()
def test_random_features_are_drawn_for_what_is_seen(classifier, images):
    drawn = []
    for _ in range(2):
        pyramid = Pyramid(NAME).eval()
        pyramid.load_classifier(classifier)
        pyramid.draw(images, torch.Generator().manual_seed(5))
        drawn.append(pyramid)
    first = sum(CHANNELS[:3])
    features = drawn[0].forward_features(images)[:, first : first + CHANNELS[3]]
    # Above 0 in half of all places or so, and of the finer maps a cell has many.
    assert (features > 0).float().mean((0, 2, 3)).median() > 0.7
    assert features.mean() == pytest.approx(0.45, abs=0.15)
    torch.testing.assert_close(drawn[1].forward_features(images)[:, first : first + CHANNELS[3]], features)
