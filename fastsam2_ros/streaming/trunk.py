"""Any timm model as the trunk of SAM 2's image encoder: batch norm folded into the convolutions, channels last."""

from __future__ import annotations

from copy import deepcopy
from typing import Any

import timm
import torch
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_weights

from fastsam2_ros.errors import ModelError

STRIDES = (4, 8, 16, 32)
"""Of the maps that SAM 2's neck takes, pixels."""
_PROBE = 64
"""Side of the image by which it is seen which norm follows which convolution, pixels."""


class TimmTrunk(nn.Module):
    """The maps of a timm model at the strides that SAM 2's `FpnNeck` takes.

    Its tensors are those of the folded model: fewer, and safe in fp16, which the variances of batch norm are not.

    Args:
        name: of a timm model with maps at strides of 4, 8, 16 and 32 pixels (`timm.list_models()`).

    Attributes:
        channel_list: channels of the maps, coarsest first, as sam2's `ImageEncoder` asks for.

    Raises:
        ModelError: timm has no such model, or it has no such maps.
    """

    def __init__(self, name: str) -> None:
        super().__init__()
        model = create(name)
        self.channel_list = [int(count) for count in reversed(model.feature_info.channels())]
        self.model = fold(model).to(memory_format=torch.channels_last)

    def forward(self, images: Tensor) -> list[Tensor]:
        """float (B, 3, H, W), normalised, to (B, C, H / stride, W / stride) for each of `STRIDES`."""
        return self.model(images.contiguous(memory_format=torch.channels_last))


def create(name: str) -> Any:
    """timm's own model with maps at `STRIDES`, not folded, with random weights.

    Raises:
        ModelError: timm has no such model, or it has no such maps.
    """
    if name not in timm.list_models():  # others may be files or names of a hub, which timm would load
        raise ModelError(f"timm {timm.__version__} has no model {name!r} for SAM 2's trunk; see timm.list_models().")
    try:
        whole: Any = timm.create_model(name, features_only=True, pretrained=False)
        indices = [whole.feature_info.reduction().index(stride) for stride in STRIDES]
        return timm.create_model(name, features_only=True, out_indices=indices, pretrained=False).eval()
    except (RuntimeError, ValueError, TypeError, AttributeError, AssertionError) as error:
        raise ModelError(
            f"{name!r} cannot be SAM 2's trunk: it must be a model of timm {timm.__version__} with maps at strides of "
            f"{', '.join(map(str, STRIDES))} pixels ({error})."
        ) from error


def copy_folded(model: nn.Module) -> nn.Module:
    """A folded copy of a model, channels last; the model stays as it is."""
    return fold(deepcopy(model).eval()).to(memory_format=torch.channels_last)


@torch.no_grad()
def fold(model: nn.Module) -> nn.Module:
    """Fold every batch norm that takes a convolution's output into that convolution, in place.

    Args:
        model: in evaluation mode; takes float32 (B, 3, H, W).

    Returns:
        the same model, with the same outputs.
    """
    places = {child: (parent, name) for parent in model.modules() for name, child in parent.named_children()}
    for convolution, norm in _pairs(model):
        assert norm.running_mean is not None
        assert norm.running_var is not None
        weight, bias = fuse_conv_bn_weights(
            convolution.weight,
            convolution.bias,
            norm.running_mean,
            norm.running_var,
            norm.eps,
            norm.weight,
            norm.bias,
        )
        convolution.weight, convolution.bias = nn.Parameter(weight), nn.Parameter(bias)
        # timm's norms hold the activation that follows.
        parent, name = places[norm]
        setattr(parent, name, getattr(norm, "act", nn.Identity()))
    return model


def _pairs(model: nn.Module) -> list[tuple[nn.Conv2d, nn.BatchNorm2d]]:
    """Convolutions and the norms that take their very outputs, seen in a run over an empty image."""
    made: dict[int, tuple[nn.Conv2d, Tensor]] = {}
    pairs = []

    def watch(module: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> None:
        if isinstance(module, nn.Conv2d):
            made[id(output)] = module, output  # kept, so that its number is not given to another tensor
        elif isinstance(module, nn.BatchNorm2d) and id(inputs[0]) in made:
            pairs.append((made[id(inputs[0])][0], module))

    handles = [module.register_forward_hook(watch) for module in model.modules()]
    model(torch.zeros(1, 3, _PROBE, _PROBE))
    for handle in handles:
        handle.remove()
    return pairs
