"""`Clip`: texts, crops and whole frames as vectors that can be compared. Weights through open_clip."""

from __future__ import annotations

import math
from collections import OrderedDict
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import open_clip
import torch
import torch.nn.functional as F
from open_clip.constants import OPENAI_DATASET_MEAN, OPENAI_DATASET_STD
from open_clip.timm_model import TimmModel
from torch import Tensor

from fastsam2_ros.config import LanguageConfig
from fastsam2_ros.errors import InputError
from fastsam2_ros.language import dense, weights
from fastsam2_ros.language.pyramid import Pyramid
from fastsam2_ros.language.vocabulary import TEMPLATES
from fastsam2_ros.results import Box
from fastsam2_ros.streaming.trunk import fold

CACHED_TEXTS = 1024
BATCH = 64
"""Texts or crops that go through the model at once, so that a long list needs no more memory than a short one."""
_TALL = 8
"""Height over width of a crop's content from which its rows are resized first, since its width times its side is less."""
IMAGE_SIZE, CPU_IMAGE_SIZE = 672, 336
"""Longer side of the image for dense features where no size is set, pixels: on a GPU, and on a CPU."""
MASK_SIDE = 80
"""Of a mask that is cut out with a crop, pixels."""
CROP_CONTEXT = 1.2
"""Side of a square crop over the longer side of its box: CLIP was trained on things with some surroundings."""


class Clip:
    """An open_clip model, ready to use. Weights are shared, there is no state but a cache.

    Attributes:
        untrained: the weights are random.
        logit_scale: factor on cosine similarities before a softmax.
        image_size: longer side of the image for dense features, pixels.
    """

    def __init__(
        self,
        model: Any,
        tokenizer: Any,
        *,
        device: torch.device,
        image_size: int,
        mean: Sequence[float],
        std: Sequence[float],
        untrained: bool,
    ) -> None:
        self.untrained = untrained
        self.logit_scale = float(model.logit_scale.exp())
        self._model = model.to(device)
        self._tokenizer = tokenizer
        self._device = device
        self.image_size = image_size
        self._mean = torch.tensor(mean, device=device)[:, None, None]
        self._std = torch.tensor(std, device=device)[:, None, None]
        self._texts: OrderedDict[tuple[str, tuple[str, ...]], Tensor] = OrderedDict()

    @classmethod
    def load(cls, config: LanguageConfig, device: torch.device) -> Clip:
        """Load model and weights onto `device`.

        Raises:
            ModelError: name or weights do not exist, cannot be had, are damaged, or are of an unsupported kind.
        """
        config = config.suited()
        source = weights.find(config)
        model, tokenizer = weights.build(source, config.seed)
        mean = source.preprocess.get("mean") or OPENAI_DATASET_MEAN
        std = source.preprocess.get("std") or OPENAI_DATASET_STD
        untrained = source.checkpoint is None
        if isinstance(model.visual, TimmModel):
            fold(model.visual.trunk).to(memory_format=torch.channels_last)
        return cls(
            model,
            tokenizer,
            device=device,
            image_size=config.image_size or (CPU_IMAGE_SIZE if device.type == "cpu" else IMAGE_SIZE),
            mean=mean,
            std=std,
            untrained=untrained,
        )

    @torch.inference_mode()
    def embed_texts(
        self, descriptions: Sequence[str], templates: Sequence[str] = TEMPLATES, *, keep: bool = True
    ) -> Tensor:
        """Embed descriptions, each put into every template and averaged.

        Args:
            descriptions: texts.
            templates: sentences with a place for each.
            keep: for the next call with the same description; not where there are so many that they would drive out others.

        Returns:
            float32 (n, D), unit norm.
        """
        key = tuple(templates)
        missing = [text for text in dict.fromkeys(descriptions) if (text, key) not in self._texts]
        sentences = [template.replace("{}", text) for text in missing for template in key]
        batches = [self._encode_texts(sentences[i : i + BATCH]) for i in range(0, len(sentences), BATCH)]
        new = {}
        if batches:
            mean = F.normalize(torch.cat(batches).float(), dim=-1).unflatten(0, (-1, len(key))).mean(1)
            new = dict(zip(missing, F.normalize(mean, dim=-1), strict=True))
        rows = []
        for text in descriptions:
            row = new[text] if text in new else self._texts[text, key]
            rows.append(row)
            if keep:
                self._texts[text, key] = row
                self._texts.move_to_end((text, key))
        while len(self._texts) > CACHED_TEXTS:
            self._texts.popitem(last=False)
        return torch.stack(rows) if rows else torch.zeros(0, dense.width(self._model.visual), device=self._device)

    @torch.inference_mode()
    def dense_features(self, frame: npt.NDArray[np.uint8]) -> Tensor:
        """Embed every patch of a frame, after a resize to `image_size` for the longer side (see `dense`).

        Args:
            frame: uint8 (H, W, 3), RGB.

        Returns:
            float32 (D, rows, columns), unit norm along D, covering the whole frame.

        Raises:
            InputError: not such an array.
        """
        pixels = self._pixels(frame)
        patch = dense.patch_size(self._model.visual)
        scale = self.image_size / max(pixels.shape[1:])
        size = [max(1, round(n * scale / p)) * p for n, p in zip(pixels.shape[1:], patch, strict=True)]
        image = F.interpolate(pixels[None], size, mode="bicubic", antialias=True, align_corners=False)
        return dense.encode(self._model.visual, (image - self._mean) / self._std)[0]

    @torch.inference_mode()
    def embed_crops(self, frame: npt.NDArray[np.uint8], boxes: Sequence[Box], masks: Tensor | None = None) -> Tensor:
        """Embed what is in boxes of a frame: square crops with a little around, the mean colour beyond the frame.

        Args:
            frame: uint8 (H, W, 3), RGB.
            boxes: x, y, width, height in pixels; the part inside the frame counts.
            masks: bool (n, h, w), over the whole frame: a convolutional tower then looks at what is in them alone, with the
                rest of the crop around; a VisionTransformer has one vector for a crop, and does not look at them.

        Returns:
            float32 (n, D), unit norm.

        Raises:
            InputError: not such an array; or a box is not finite, is empty, or lies outside the frame.
        """
        pixels = self._pixels(frame)
        squares = [_square(box, pixels.shape[1:]) for box in boxes]
        batches = []
        for start in range(0, len(boxes), BATCH):
            chosen = slice(start, start + BATCH)
            crops = torch.stack([self._crop(pixels, square) for square in squares[chosen]])
            shares = None if masks is None else _cut_masks(masks[chosen], squares[chosen], pixels.shape[1:])
            batches.append(self._encode(crops, shares))
        if not batches:
            return torch.zeros(0, dense.width(self._model.visual), device=self._device)
        return F.normalize(torch.cat(batches).float(), dim=-1)

    def _pixels(self, frame: npt.NDArray[np.uint8]) -> Tensor:
        """float32 (3, H, W), [0, 1], on the device."""
        if frame.dtype != np.uint8 or frame.ndim != 3 or frame.shape[2] != 3 or frame.size == 0:
            raise InputError(
                f"A frame must be uint8 (H, W, 3), RGB, and not empty; this is {frame.dtype} {frame.shape}."
            )
        # A copy, since frames may be read-only or have negative strides.
        return torch.from_numpy(frame.copy()).to(self._device).permute(2, 0, 1).float() / 255

    def _crop(self, pixels: Tensor, square: tuple[int, int, int]) -> Tensor:
        """(3, S, S): normalised, of the model's own image size."""
        height, width = pixels.shape[1:]
        x0, y0, side = square
        x1, y1 = x0 + side, y0 + side
        inside = pixels[:, max(y0, 0) : y1, max(x0, 0) : x1]
        normalised = (inside - self._mean) / self._std  # zero is the mean colour
        beside, above = (max(-x0, 0), max(x1 - width, 0)), (max(-y0, 0), max(y1 - height, 0))
        size = self._model.visual.image_size
        return _fitted(normalised, beside, above, (size, size) if isinstance(size, int) else tuple(size))

    def _encode(self, crops: Tensor, masks: Tensor | None) -> Tensor:
        """(n, D) of crops (n, 3, S, S), within masks (n, 1, s, s), where the tower has maps."""
        tower = self._model.visual
        if masks is None or not isinstance(tower, TimmModel):
            return self._model.encode_image(crops)
        if isinstance(tower.trunk, Pyramid):
            return tower.head(tower.trunk.within(crops, masks)[:, 0])
        return tower.head(dense.mean_within(tower.trunk.forward_features(crops), masks)[:, 0])

    def _encode_texts(self, sentences: Sequence[str]) -> Tensor:
        """(n, D)."""
        return encode_texts(self._model, self._tokenizer(list(sentences)).to(self._device))


def encode_texts(model: Any, tokens: Tensor) -> Tensor:
    """What `model.encode_text` gives, in less time.

    CLIP pads texts to 77 tokens; its causal text tower never looks at the padding, so it is cut off.

    Args:
        model: open_clip's.
        tokens: int64 (n, context length), of its tokenizer.

    Returns:
        (n, D), of any norm.
    """
    causal = isinstance(model, open_clip.CLIP) and model.attn_mask is not None and model.text_pool_type == "argmax"
    if not causal:
        return model.encode_text(tokens)
    end = tokens.argmax(dim=-1)  # the end-of-text token has the highest number
    length = int(end.max()) + 1
    x = model.token_embedding(tokens[:, :length]) + model.positional_embedding[:length]
    x = model.ln_final(model.transformer(x, attn_mask=model.attn_mask[:length, :length]))
    x = x[torch.arange(len(x), device=x.device), end]
    projection = model.text_projection
    if isinstance(projection, torch.nn.Linear):
        return projection(x)
    return x if projection is None else x @ projection


def _square(box: Box, size: Sequence[int]) -> tuple[int, int, int]:
    """Left, top and side of a box's crop, pixels; parts of it may lie outside the frame of `size` (H, W).

    Raises:
        InputError: the box is not finite, is empty, or lies outside the frame.
    """
    height, width = size
    x, y, w, h = box
    left, top, right, bottom = max(x, 0.0), max(y, 0.0), min(x + w, width), min(y + h, height)
    if not (all(map(math.isfinite, box)) and right > left and bottom > top):
        raise InputError(f"The box {box} is empty, not finite, or outside the frame of {width} x {height} pixels.")
    side = max(1, round(CROP_CONTEXT * max(right - left, bottom - top)))
    return round((left + right - side) / 2), round((top + bottom - side) / 2), side


def _cut_masks(masks: Tensor, squares: Sequence[tuple[int, int, int]], size: Sequence[int]) -> Tensor:
    """What of masks (n, h, w), over a frame of `size` (H, W), lies in squares of it: float32 (n, 1, MASK_SIDE, MASK_SIDE)."""
    height, width = size
    steps = (torch.arange(MASK_SIDE, device=masks.device) + 0.5) / MASK_SIDE
    grids = []
    for x, y, side in squares:
        columns, rows = 2 * (x + side * steps) / width - 1, 2 * (y + side * steps) / height - 1
        grids.append(torch.stack(torch.meshgrid(columns, rows, indexing="xy"), dim=-1))
    return F.grid_sample(masks[:, None].float(), torch.stack(grids), align_corners=False)


def _fitted(part: Tensor, beside: tuple[int, int], above: tuple[int, int], size: tuple[int, int]) -> Tensor:
    """A part (3, h, w) with zeros left and right, above and below, resized to (3, *size).

    One axis at a time, which gives the same: the padded square of a frame of 8192 x 2 pixels would be a gigabyte.
    """
    (height, width), part = size, part[None]
    if part.shape[2] > _TALL * part.shape[3]:
        part = _resized(F.pad(part, (0, 0, *above)), (height, part.shape[3]))
        above = (0, 0)
    part = _resized(F.pad(part, beside), (part.shape[2], width))
    return _resized(F.pad(part, (0, 0, *above)), (height, width))[0]


def _resized(images: Tensor, size: tuple[int, int]) -> Tensor:
    return F.interpolate(images, size, mode="bicubic", antialias=True)
