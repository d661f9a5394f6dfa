"""The image encoder, ours or upstream's: both give the trunk's maps beside the neck's."""

from __future__ import annotations

from collections.abc import Sequence

from sam2.modeling.sam2_base import SAM2Base
from torch import Tensor

from fastsam2_ros.streaming import neck
from fastsam2_ros.streaming.backends.parts import ImageEncoder, Maps


def image_encoder(model: SAM2Base, upstream: bool = False) -> ImageEncoder:
    """The image encoder of a model, in torch.

    Args:
        model: SAM 2.
        upstream: by upstream's own code alone, as it is too where `neck` does not fit the model.
    """

    def ours(images: Tensor) -> Maps:
        from_trunk = model.image_encoder.trunk(images)
        return Maps(from_trunk, neck.project(model, from_trunk))

    def upstreams(images: Tensor) -> Maps:
        seen: list[Sequence[Tensor]] = []
        hook = model.image_encoder.trunk.register_forward_hook(lambda _module, _images, maps: seen.append(tuple(maps)))
        try:
            maps = model.forward_image(images)["backbone_fpn"][-3:]
        finally:
            hook.remove()
        return Maps(seen[0], maps)

    return upstreams if upstream or not neck.fits(model) else ours
