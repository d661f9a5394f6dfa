"""What goes from stage to stage: a frame's features, and the masks decoded from them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, fields, replace

import cv2
import numpy as np
import numpy.typing as npt
from sam2.modeling.sam2_base import NO_OBJ_SCORE
from torch import Tensor

Grid = tuple[int, int]
"""Rows and columns of the tokens."""
SPECK = 0.02
"""Share of a mask's largest part below which a part is a speck."""


@dataclass(frozen=True)
class FrameFeatures:
    """What the image encoder makes of one frame, once for all targets.

    Attributes:
        maps: (1, C0, 4 g, 4 g), (1, C1, 2 g, 2 g), (1, C, g, g): fine to coarse, g the side of the token grid.
        tokens: (g * g, C), the coarsest map, row-major.
        grid: (g, g). The grid covers the whole frame, which is stretched to a square for the encoder.
        size: (H, W) of the frame, pixels.
        picture: uint8 (S, S, 3), RGB, the frame as the encoder took it, stretched to a square.
        seconds: that the encoder took, where that is counted here; of a batch, this frame's share.
    """

    maps: tuple[Tensor, Tensor, Tensor]
    tokens: Tensor
    grid: tuple[int, int]
    size: tuple[int, int]
    picture: npt.NDArray[np.uint8]
    seconds: float = 0.0


@dataclass(frozen=True)
class Decoded:
    """Masks of one frame.

    Attributes:
        low_res: float32, (targets, 1, 4 g, 4 g), mask logits; -1024 where the target is judged to be absent.
        high_res: float32, (targets, 1, S, S), the same at the encoder's image size S.
        predicted_iou: float32, (targets,), [0, 1].
        object_score: float32, (targets,), logit of the target being visible.
        pointer: (targets, C), object pointers.
    """

    low_res: Tensor
    high_res: Tensor
    predicted_iou: Tensor
    object_score: Tensor
    pointer: Tensor

    @property
    def score(self) -> Tensor:
        """(targets,), [0, 1]: probability of being visible times predicted IoU."""
        return self.object_score.sigmoid() * self.predicted_iou.clamp(0, 1)

    @property
    def covered(self) -> Tensor:
        """(targets,), [0, 1]: share of the frame that each mask covers."""
        return (self.low_res > 0).flatten(1).float().mean(1)

    def where(self, visible: Tensor) -> Decoded:
        """With empty masks for the other targets. visible: bool (targets,)."""
        absent = self.low_res.new_tensor(NO_OBJ_SCORE)
        return replace(self, low_res=self.low_res.where(visible[:, None, None, None], absent))

    def of(self, rows: Sequence[int]) -> Decoded:
        """Of some of the targets."""
        if len(rows) == len(self.object_score):
            return self
        return Decoded(*(getattr(self, each.name)[list(rows)] for each in fields(self)))

    @classmethod
    def of_heads(cls, outputs: tuple[Tensor, ...]) -> Decoded:
        """From what upstream's `_forward_sam_heads` and `_use_mask_as_output` return."""
        _, _, ious, low_res, high_res, pointer, object_score = outputs
        return cls(
            low_res=low_res.float(),
            high_res=high_res.float(),
            predicted_iou=ious.float().max(dim=1).values,
            object_score=object_score.float().flatten(),
            pointer=pointer,
        )


def masks_at(low_res: Tensor, size: tuple[int, int]) -> npt.NDArray[np.bool_]:
    """Masks at a frame's size, none of which overlap: a pixel is that target's whose logit is highest.

    A mask that is smaller than a pixel of the frame is the pixel where its logit is highest. Specks, parts of less than
    `SPECK` of the largest part, are left out: they are hardly ever the target's, and would stretch its box.

    Args:
        low_res: float, (targets, 1, h, w), mask logits over the whole frame.
        size: (H, W) of the frame.

    Returns:
        (targets, H, W).
    """
    small = [_without_specks(logits) for logits in low_res[:, 0].float().cpu().numpy()]
    masks = np.zeros((len(small), *size), bool)
    for logits, mask in zip(small, masks, strict=True):
        if (logits > 0).any():
            _draw(logits, mask)
    if len(masks) > 1 and (contested := masks.sum(0, dtype=np.uint16) > 1).any():
        claims = masks[:, contested]  # (targets, pixels)
        # What is not finite is in no mask, and must not win a pixel.
        best = np.full(claims.shape[1], -np.inf, np.float32)
        owner = np.zeros(claims.shape[1], np.intp)
        for row in np.flatnonzero(claims.any(1)):
            logits = np.where(claims[row], _upsampled(small[row], size)[contested], -np.inf)
            owner[logits > best] = row
            np.maximum(best, logits, out=best)
        masks[:, contested] = claims & (owner == np.arange(len(masks))[:, None])
    return masks


def _without_specks(logits: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """One target's logits (h, w)."""
    inside = (logits > 0).view(np.uint8)
    x, y, width, height = cv2.boundingRect(inside)
    if not width:
        return logits
    window = slice(y, y + height), slice(x, x + width)  # no part is outside
    count, parts, stats, _ = cv2.connectedComponentsWithStats(inside[window])
    if count <= 2:
        return logits
    areas = stats[:, cv2.CC_STAT_AREA]
    specks = areas < SPECK * areas[1:].max()
    specks[0] = False  # beside the mask
    cleaned = logits.copy()
    cleaned[window][specks[parts]] = NO_OBJ_SCORE
    return cleaned


def _draw(logits: npt.NDArray[np.float32], mask: npt.NDArray[np.bool_]) -> None:
    """One target's logits (h, w), some of them above zero, as an empty mask (H, W): only what is round those is upsampled."""
    x, y, width, height = cv2.boundingRect((logits > 0).view(np.uint8))
    rows, lines = _window(y, y + height, logits.shape[0], mask.shape[0])
    columns, places = _window(x, x + width, logits.shape[1], mask.shape[1])
    window = mask[lines, places]
    np.greater(_upsampled(logits[rows, columns], window.shape), 0, out=window)


def _window(begin: int, end: int, cells: int, pixels: int) -> tuple[slice, slice]:
    """Along one axis of so many cells, which become so many pixels: those round the cells from begin to end, and their pixels.

    Both begin and end where a cell and a pixel do, so that a pixel's place among the cells is what it is in the whole.
    """
    parts = math.gcd(cells, pixels)
    step, size = cells // parts, pixels // parts
    first, last = max(0, begin - 1) // step, -(-min(cells, end + 1) // step)
    return slice(first * step, last * step), slice(first * size, last * size)


def _upsampled(logits: npt.NDArray[np.float32], size: tuple[int, int]) -> npt.NDArray[np.float32]:
    """One target's logits (h, w) at a frame's size (H, W), none of them above zero lost."""
    large = np.asarray(cv2.resize(logits, size[::-1], interpolation=cv2.INTER_LINEAR), np.float32)
    if not (large > 0).any() and (logits > 0).any():
        place = np.unravel_index(np.where(logits > 0, logits, 0).argmax(), logits.shape)
        large[tuple(at * end // step for at, end, step in zip(place, size, logits.shape, strict=True))] = logits[place]
    return large
