"""The image tower of mini's CLIP: all maps of an EfficientNet as one, at the stride of SAM 2's tokens.

The last map of a classifier says what a thing is, and little of its colour or pattern; the first ones know just those.
"""

from __future__ import annotations

from typing import Any

import timm
import torch
import torch.nn.functional as F
from timm.models import register_model
from torch import Tensor, nn

from fastsam2_ros.streaming.trunk import create

STRIDE = 16
"""Of the map, pixels."""


class Pyramid(nn.Module):
    """For open_clip's `TimmModel`, by timm's interface.

    Args:
        name: of a timm EfficientNet: a model with maps at strides of 4, 8, 16 and 32 pixels, `conv_head` and `bn2`.

    Attributes:
        num_features: channels of the map: of the strides 4, 8 and 16, and of the last convolution.
        mean, scale: float32 (num_features,), by which channels are centred and scaled; a checkpoint has them.
        default_cfg, feature_info: as timm's models have them.
    """

    mean: Tensor
    scale: Tensor

    def __init__(self, name: str) -> None:
        super().__init__()
        whole: Any = timm.create_model(name, pretrained=False)
        self.stages = create(name)
        self.conv_head, self.bn2 = whole.conv_head, whole.bn2
        self.num_features = sum(self.stages.feature_info.channels()[:-1]) + int(whole.num_features)
        self.register_buffer("mean", torch.zeros(self.num_features))
        self.register_buffer("scale", torch.ones(self.num_features))
        self.default_cfg = whole.default_cfg
        self.feature_info = [{"reduction": STRIDE, "num_chs": self.num_features}]

    def reset_classifier(self, num_classes: int, global_pool: str = "avg") -> None:
        """There is none."""

    def forward(self, images: Tensor) -> Tensor:
        """float (B, 3, H, W), normalised, to (B, num_features)."""
        return self.forward_features(images).mean((2, 3))

    def forward_features(self, images: Tensor) -> Tensor:
        """float (B, 3, H, W), normalised, to (B, num_features, H / 16, W / 16), rounded up."""
        maps = self.stages(images)
        size = maps[2].shape[-2], maps[2].shape[-1]
        last = F.interpolate(self.bn2(self.conv_head(maps[3])), size, mode="bilinear", align_corners=False)
        finer = [F.adaptive_avg_pool2d(each, size) for each in maps[:2]]
        return self.standardised(torch.cat([*finer, maps[2], last], dim=1).movedim(1, -1)).movedim(-1, 1)

    def load_classifier(self, classifier: nn.Module) -> None:
        """Take the weights of timm's whole model of the same name."""
        tensors = classifier.state_dict()
        for part, prefix in ((self.stages, ""), (self.conv_head, "conv_head."), (self.bn2, "bn2.")):
            part.load_state_dict({name: tensors[prefix + name] for name in part.state_dict()})

    def standardised(self, features: Tensor) -> Tensor:
        """Features (..., num_features), centred and scaled."""
        return (features - self.mean) * self.scale


@register_model
def fastsam2_pyramid_lite0(pretrained: bool = False, **_options: object) -> Pyramid:
    """The name by which open_clip asks timm for it; the weights are CLIP's checkpoint's."""
    return Pyramid("tf_efficientnet_lite0")
