"""The parts of SAM 2 as functions of fixed shapes, and who can compute them in torch's place."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import torch
from torch import Tensor, nn

from fastsam2_ros.streaming.values import Decoded


class ImageEncoder(Protocol):
    """Computes the image encoder."""

    def __call__(self, images: Tensor) -> Sequence[Tensor]:
        """float32 (B, 3, S, S), normalised, on the model's device, to `FrameFeatures.maps` of a batch."""


class Session(Protocol):
    """A runtime with an exported part in it."""

    def run(self, *inputs: Tensor) -> Sequence[Tensor]:
        """float32, of the shapes that it was exported for, to the part's outputs, which are this call's own."""


class Runtime(Protocol):
    """Exports parts, and runs them.

    Attributes:
        name: as in `model.backend`.
        version: of it; another one exports anew.
    """

    name: str
    version: str

    def export(self, module: nn.Module, inputs: tuple[Tensor, ...], folder: Path, part: str) -> None:
        """Write a part into a folder, under its name, for float32 inputs of these shapes."""

    def load(self, folder: Path, part: str) -> Session:
        """What `export` has written. Any error: it is damaged."""


@dataclass(frozen=True)
class ExportedParts:
    """Sessions of all parts, each for one image or target at a time: exports have fixed shapes.

    Attributes:
        encoder, decoder, memory_encoder: of what `exportable` has under these names.
    """

    encoder: Session
    decoder: Session
    memory_encoder: Session

    def encode(self, images: Tensor) -> Sequence[Tensor]:
        """See `ImageEncoder`."""
        return _joined([self.encoder.run(image[None]) for image in images])

    def decode(self, conditioned: Tensor, fine_maps: Sequence[Tensor]) -> Decoded:
        """Masks while tracking, from conditioned features (targets, N, C) and the two finest of `FrameFeatures.maps`."""
        finest, fine = (each.contiguous() for each in fine_maps)
        rows = [self.decoder.run(target[None], finest, fine) for target in conditioned.float()]
        low_res, high_res, ious, object_score, pointer = _joined(rows)
        return Decoded(low_res, high_res, ious, object_score, pointer)

    def remember(self, tokens: Tensor, high_res: Tensor, object_score: Tensor) -> Tensor:
        """The memory encoder's output while tracking, (targets, N, M), of `FrameFeatures.tokens` and each target's mask
        (targets, 1, S, S) and score (targets,).
        """
        own = tokens[None].float().contiguous()
        rows = zip(high_res.split(1), object_score[:, None].split(1), strict=True)
        (encoded,) = _joined([self.memory_encoder.run(own, mask, score) for mask, score in rows])
        return encoded


def _joined(rows: Sequence[Sequence[Tensor]]) -> list[Tensor]:
    """Outputs of several runs as those of one batch."""
    return [torch.cat(each) if len(each) > 1 else each[0] for each in zip(*rows, strict=True)]
