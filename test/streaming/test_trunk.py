"""timm models as trunks."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from fastsam2_ros.errors import ModelError
from fastsam2_ros.streaming.trunk import STRIDES, TimmTrunk, copy_folded, create, fold

NAMES = ("tf_efficientnet_lite0", "resnet18", "regnetx_002", "mobilenetv3_small_050")


def lived_in(model: nn.Module) -> nn.Module:
    """With statistics and scales as after a training, not 0 and 1."""
    generator = torch.Generator().manual_seed(0)
    for norm in model.modules():
        if isinstance(norm, nn.BatchNorm2d):
            for tensor, middle in (
                (norm.running_mean, 0.0),
                (norm.running_var, 1.0),
                (norm.weight, 1.0),
                (norm.bias, 0.0),
            ):
                tensor.data = middle + 0.3 * torch.rand(tensor.shape, generator=generator)
    return model


@pytest.mark.parametrize("name", NAMES)
def test_folded_gives_what_unfolded_gives(name):
    model = lived_in(create(name))
    images = torch.randn(1, 3, 96, 96, generator=torch.Generator().manual_seed(1))
    with torch.inference_mode():
        before, after = model(images), copy_folded(model)(images)
    for mine, theirs in zip(after, before, strict=True):
        torch.testing.assert_close(mine, theirs, rtol=1e-3, atol=1e-3 * float(theirs.abs().max()))


@pytest.mark.parametrize("name", NAMES)
def test_no_batch_norm_is_left(name):
    assert not any(isinstance(module, nn.BatchNorm2d) for module in fold(create(name)).modules())


def test_a_copy_leaves_the_model_as_it_was():
    model = create("resnet18")
    copy_folded(model)
    assert any(isinstance(module, nn.BatchNorm2d) for module in model.modules())


def test_maps_have_the_strides_and_channels_that_the_neck_takes():
    trunk = TimmTrunk("tf_efficientnet_lite0").eval()
    maps = trunk(torch.zeros(1, 3, 64, 64))
    assert [tuple(each.shape[1:]) for each in maps] == [
        (channels, 64 // stride, 64 // stride)
        for channels, stride in zip(reversed(trunk.channel_list), STRIDES, strict=True)
    ]


def test_a_model_without_batch_norm_is_a_trunk_too():
    assert TimmTrunk("convnext_atto").channel_list == [320, 160, 80, 40]


@pytest.mark.parametrize("name", ["no_such_model", "vit_tiny_patch16_224"])
def test_what_has_no_such_maps_is_named(name):
    with pytest.raises(ModelError, match=name):
        TimmTrunk(name)
