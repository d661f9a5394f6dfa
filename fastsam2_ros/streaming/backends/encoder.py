"""The image encoder as one function, and who can compute it in torch's place."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple, Protocol

import torch
from sam2.modeling.sam2_base import SAM2Base
from torch import Tensor, nn

from fastsam2_ros.streaming import neck
from fastsam2_ros.streaming.trunk import TimmTrunk


class Maps(NamedTuple):
    """What the image encoder makes of a batch.

    Attributes:
        from_trunk: (B, C, h, w) each, fine to coarse, where the trunk is a timm model, which a CLIP may share; else none.
        projected: `FrameFeatures.maps` of a batch: (B, C0, 4 g, 4 g), (B, C1, 2 g, 2 g), (B, C, g, g).
    """

    from_trunk: Sequence[Tensor]
    projected: Sequence[Tensor]


class ImageEncoder(Protocol):
    """Computes the image encoder."""

    def __call__(self, images: Tensor) -> Maps:
        """float32 (B, 3, S, S), normalised, on the model's device."""


class Session(Protocol):
    """A runtime with an exported encoder in it, for one image at a time."""

    def run(self, image: Tensor) -> Sequence[Tensor]:
        """float32 (1, 3, S, S) to the outputs of `Exportable`, which are this call's own."""


class Runtime(Protocol):
    """Exports encoders, and runs them.

    Attributes:
        name: as in `model.backend`.
        version: of it; another one exports anew.
    """

    name: str
    version: str

    def export(self, module: nn.Module, image: Tensor, folder: Path) -> None:
        """Write the module into a folder, for images of this one's shape: float32 (1, 3, S, S)."""

    def load(self, folder: Path) -> Session:
        """What `export` has written. Any error: it is damaged."""


class Exportable(nn.Module):
    """The encoder with tensors in and tensors out: the projected maps, and after them those of a timm trunk.

    Args:
        model: SAM 2 whose neck `neck.fits`.
    """

    def __init__(self, model: SAM2Base) -> None:
        super().__init__()
        self._model = model

    def forward(self, images: Tensor) -> tuple[Tensor, ...]:
        """See `Maps`."""
        trunk = self._model.image_encoder.trunk
        from_trunk = tuple(trunk(images))
        projected = neck.project(self._model, from_trunk)
        return (*projected, *from_trunk) if isinstance(trunk, TimmTrunk) else projected


class ExportedEncoder:
    """An `ImageEncoder` on a session. Frames of a batch go through one after the other: exports have fixed shapes."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def __call__(self, images: Tensor) -> Maps:
        """See `ImageEncoder`."""
        rows = [self._session.run(image[None].contiguous()) for image in images]
        outputs = [torch.cat(each) if len(each) > 1 else each[0] for each in zip(*rows, strict=True)]
        return Maps(outputs[3:], outputs[:3])
