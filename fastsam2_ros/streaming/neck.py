"""SAM 2's neck and the decoder's fine projections on channels-last maps: what upstream's `forward_image` gives, sooner.

A 1x1 convolution of a channels-last map is a linear layer over its pixels. The two finest levels go through two of them with
nothing in between, the neck's and the decoder's, so one with the product of their weights takes their place. The neck's
position encodings are left out: streaming has its own for the tokens, and needs none for the finer levels.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from sam2.modeling.sam2_base import SAM2Base
from torch import Tensor, nn

from fastsam2_ros.streaming.backends.parts import ImageEncoder


def fits(model: SAM2Base) -> bool:
    """Whether the neck is of the shape that all released models have, which `project` computes."""
    encoder = model.image_encoder
    neck = encoder.neck
    lateral = all(
        each.conv.kernel_size == (1, 1) and each.conv.stride == (1, 1) and each.conv.padding == (0, 0)
        for each in neck.convs
    )
    joined = set(neck.fpn_top_down_levels) - {3}  # the coarsest level has none above it
    return len(neck.convs) == 4 and encoder.scalp == 1 and lateral and joined == {2} and neck.fuse_type == "sum"


def image_encoder(model: SAM2Base, upstream: bool = False) -> ImageEncoder:
    """The image encoder of a model, in torch.

    Args:
        model: SAM 2.
        upstream: by upstream's own code alone, as it is too for a model that does not fit.
    """

    def ours(images: Tensor) -> Sequence[Tensor]:
        return project(model, model.image_encoder.trunk(images))

    def upstreams(images: Tensor) -> Sequence[Tensor]:
        return model.forward_image(images)["backbone_fpn"][-3:]

    return upstreams if upstream or not fits(model) else ours


def project(model: SAM2Base, maps: Sequence[Tensor]) -> tuple[Tensor, Tensor, Tensor]:
    """What `forward_image` makes of the trunk's maps, for a model that `fits`.

    Args:
        model: SAM 2.
        maps: (B, C, h, w) each, fine to coarse, the four of the trunk; channels last in memory, or they are copied.

    Returns:
        `FrameFeatures.maps` of a batch: (B, C0, 4 g, 4 g), (B, C1, 2 g, 2 g), (B, C, g, g), channels last in memory.
    """
    neck, decoder = model.image_encoder.neck, model.sam_mask_decoder
    coarsest, coarse, middle, fine = (each.conv for each in neck.convs)
    above = F.interpolate(
        _linear(maps[3], *_parameters(coarsest)).float(),
        scale_factor=2.0,
        mode=neck.fpn_interp_model,
        align_corners=None if neck.fpn_interp_model == "nearest" else False,
    )
    return (
        _linear(maps[0], *_product(fine, decoder.conv_s0)),
        _linear(maps[1], *_product(middle, decoder.conv_s1)),
        _linear(maps[2], *_parameters(coarse)) + above,
    )


def _parameters(convolution: nn.Conv2d) -> tuple[Tensor, Tensor]:
    """Weight (out, in) and bias (out,) of a 1x1 convolution."""
    assert convolution.bias is not None
    return convolution.weight.flatten(1), convolution.bias


def _product(first: nn.Conv2d, second: nn.Conv2d) -> tuple[Tensor, Tensor]:
    """Weight and bias of two 1x1 convolutions in a row; made anew for each batch, so that they follow the model's."""
    (weight, bias), (next_weight, next_bias) = _parameters(first), _parameters(second)
    with torch.autocast(weight.device.type, enabled=False):
        weight, next_weight = weight.float(), next_weight.float()  # `hold_weights_in` may have made less of them
        return next_weight @ weight, next_weight @ bias.float() + next_bias.float()


def _linear(grid_map: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    """(B, C, h, w) to (B, C', h, w)."""
    return F.linear(grid_map.permute(0, 2, 3, 1), weight, bias).permute(0, 3, 1, 2)
