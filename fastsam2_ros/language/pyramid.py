"""The image tower of mini's CLIP: all maps of an EfficientNet as one, at the stride of SAM 2's tokens.

The last map of a classifier says what a thing is, and little of its colour or pattern; the first ones know just those. A mean
of them over a thing tells little of what lies side by side in it: red and white stripes are pink. So the finer maps are
also given through random features (Rahimi and Recht, NeurIPS 2007), whose means tell mixtures apart.
"""

from __future__ import annotations

from typing import Any

import timm
import torch
import torch.nn.functional as F
from timm.models import register_model
from torch import Tensor, nn

from fastsam2_ros.language.dense import mean_within
from fastsam2_ros.streaming.trunk import create

STRIDE = 16
"""Of the map, pixels."""
RANDOM_FEATURES = 256
"""Of each of the finer maps."""
_BIAS = 0.7
"""Standard deviation of their thresholds, in standard deviations of what they look at."""


class _RandomFeatures(nn.Conv2d):
    """Fixed half-spaces of a map's channels, and how far inside a place is."""

    def __init__(self, channels: int) -> None:
        super().__init__(channels, RANDOM_FEATURES, 1)

    def draw(self, seen: Tensor, generator: torch.Generator) -> None:
        """For a map that varies as one, (B, channels, h, w), does."""
        assert self.bias is not None
        spread = seen.std((0, 2, 3)).clamp(min=1e-3)
        weight = torch.randn(self.out_channels, self.in_channels, generator=generator) / self.in_channels**0.5 / spread
        bias = _BIAS * torch.randn(self.out_channels, generator=generator)
        self.weight.copy_(weight[:, :, None, None])
        self.bias.copy_(bias - weight @ seen.mean((0, 2, 3)))

    def forward(self, input: Tensor) -> Tensor:
        """(B, channels, h, w) to (B, RANDOM_FEATURES, h, w)."""
        return F.relu(super().forward(input))


class Pyramid(nn.Module):
    """For open_clip's `TimmModel`, by timm's interface.

    Args:
        name: of a timm EfficientNet: a model with maps at strides of 4, 8, 16 and 32 pixels, `conv_head` and `bn2`.

    Attributes:
        num_features: channels of the map: of the strides 4, 8 and 16, of random features of each of these, and of the last
            convolution.
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
        finer = self.stages.feature_info.channels()[:-1]
        self.random: Any = nn.ModuleList(_RandomFeatures(channels) for channels in finer)
        self.num_features = sum(finer) + len(finer) * RANDOM_FEATURES + int(whole.num_features)
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
        maps = self._maps(images)
        size = maps[-1].shape[-2], maps[-1].shape[-1]
        same = [F.adaptive_avg_pool2d(each, size) for each in maps]
        return self.standardised(torch.cat(same, dim=1).movedim(1, -1)).movedim(-1, 1)

    def within(self, images: Tensor, masks: Tensor) -> Tensor:
        """Means over what lies in masks, of each map at its own stride, where a thing's edge is sharper.

        Args:
            images: float (B, 3, H, W), normalised.
            masks: float (B, n, h, w), [0, 1], n of each image, over the whole of it; of an empty one all counts.

        Returns:
            (B, n, num_features).
        """
        return self.standardised(torch.cat([mean_within(each, masks) for each in self._maps(images)], dim=-1))

    def load_classifier(self, classifier: nn.Module) -> None:
        """Take the weights of timm's whole model of the same name."""
        tensors = classifier.state_dict()
        for part, prefix in ((self.stages, ""), (self.conv_head, "conv_head."), (self.bn2, "bn2.")):
            part.load_state_dict({name: tensors[prefix + name] for name in part.state_dict()})

    @torch.no_grad()
    def draw(self, images: Tensor, generator: torch.Generator) -> None:
        """Draw random features, in evaluation mode, for maps that vary as those of images: float (B, 3, H, W), normalised."""
        for features, seen in zip(self.random, self.stages(images)[:3], strict=True):
            features.draw(seen, generator)

    def standardised(self, features: Tensor) -> Tensor:
        """Features (..., num_features), centred and scaled."""
        return (features - self.mean) * self.scale

    def _maps(self, images: Tensor) -> list[Tensor]:
        """Strides 4, 8 and 16, random features of them, and the last convolution's at stride 16."""
        maps = self.stages(images)
        last = F.interpolate(
            self.bn2(self.conv_head(maps[3])), maps[2].shape[-2:], mode="bilinear", align_corners=False
        )
        return [*maps[:3], *(features(each) for features, each in zip(self.random, maps[:3], strict=True)), last]


@register_model
def fastsam2_pyramid_lite0(pretrained: bool = False, **_options: object) -> Pyramid:
    """The name by which open_clip asks timm for it; the weights are CLIP's checkpoint's."""
    return Pyramid("tf_efficientnet_lite0")
