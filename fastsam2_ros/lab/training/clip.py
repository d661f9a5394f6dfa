"""Training of the mini CLIP: crops and patches against descriptions, hard negatives, and the negatives of the search."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from open_clip.constants import OPENAI_DATASET_MEAN, OPENAI_DATASET_STD
from torch import Tensor, nn

import fastsam2_ros.language
from fastsam2_ros.config import MINI, UNTRAINED, LanguageConfig
from fastsam2_ros.lab.synthetic.looks import COLOURS, PATTERNS, SHAPES
from fastsam2_ros.lab.synthetic.world import HELD_OUT_SEED, generate
from fastsam2_ros.lab.training.crops import GROUND, MIXED, LanguageBatch, LanguageShape, language_stream
from fastsam2_ros.lab.training.loop import Phase, precision
from fastsam2_ros.lab.training.phrases import UNSAID, WORDS
from fastsam2_ros.lab.training.unroll import plain_attention
from fastsam2_ros.language import dense, weights
from fastsam2_ros.language.clip import Clip
from fastsam2_ros.language.vocabulary import NEGATIVES, TEMPLATES

MODEL = Path(fastsam2_ros.language.__file__).with_name("mini_clip.json")
VALIDATION_SEED = 2 * HELD_OUT_SEED
MARGIN = 0.04
"""Cosine by which the right answer must lead in training, so that some lead is left in use."""
LARGEST_SCALE = 60.0
CONTRAST_RAMP = 2.0
"""Share of the contrast in the loss, up to 1, per share of the training that is done."""
# Negatives that speak of things in the world would be wrong now and then.
_NEGATIVES = tuple(text for text in NEGATIVES if not set(text.split()) & WORDS)


class ClipTask:
    """See `loop.Task`.

    Args:
        device: where it will train.
        seed: of weights, scenes and phrases.
        scenes: held-out scenes of the validation.
        shape: of the batches; None: what suits the device.
    """

    name = "mini_clip"

    def __init__(
        self, device: torch.device, seed: int = 0, scenes: int = 24, shape: LanguageShape | None = None
    ) -> None:
        self.scenes = scenes
        self.metadata: dict[str, str] = {}
        config = LanguageConfig(name=str(MODEL), weights=UNTRAINED, seed=seed)
        built: Any = weights.build(weights.find(config), seed)
        self.model, self.tokenizer = built
        self.model.requires_grad_(True)
        with torch.no_grad():
            self.model.logit_scale.fill_(float(np.log(20.0)))
        generator = torch.Generator().manual_seed(seed)
        count = len(COLOURS) + len(PATTERNS) + len(SHAPES)
        self._codes = torch.linalg.qr(torch.randn(self.model.text_projection.shape[1], count, generator=generator))[0].T
        self._precision = precision(device)
        chosen = shape or (LanguageShape(scenes=32, dense=16) if device.type == "cuda" else LanguageShape())
        self.phases: tuple[Phase, ...] = (Phase(1.0, "crops and patches", partial(self._batches, seed, chosen)),)

    def loss(self, batch: LanguageBatch, number: int, progress: float) -> tuple[Tensor, dict[str, float]]:
        """See `loop.Task`."""
        model = self.model
        device = model.logit_scale.device
        with torch.no_grad():
            model.logit_scale.clamp_(max=float(np.log(LARGEST_SCALE)))
        template = TEMPLATES[number % len(TEMPLATES)]
        sentences = [*batch.sentences, *(template.replace("{}", text) for text in _NEGATIVES)]
        half = torch.autocast(device.type, self._precision, enabled=self._precision != torch.float32)
        with half:
            with plain_attention(device):
                texts = F.normalize(model.encode_text(self.tokenizer(sentences).to(device)).float(), dim=-1)
                crops = F.normalize(model.encode_image(_normalised(batch.crops.to(device))).float(), dim=-1)
            patches = dense.encode(model.visual, _normalised(batch.frames.to(device))).float()
        described, negatives = texts[: len(batch.sentences)], texts[len(batch.sentences) :]
        named, scale = batch.named.to(device), model.logit_scale.exp()
        flat = patches.flatten(2).transpose(1, 2).flatten(0, 1)  # (patches, D)
        of_patch = batch.patch_attributes.flatten(0, 2).to(device)
        clear = of_patch[:, 0] != MIXED
        of_crop = batch.crop_attributes.to(device)
        terms = {
            "crops": contrast(crops, of_crop, described, named, negatives, scale),
            "patches": contrast(flat[clear], of_patch[clear], described, named, negatives, scale),
            "crop attributes": classify(crops, of_crop, self._codes.to(device), scale),
            "patch attributes": classify(flat[clear], of_patch[clear], self._codes.to(device), scale),
            "text attributes": classify(described, named, self._codes.to(device), scale),
        }
        # First what things are, then what tells them apart.
        share = min(1.0, CONTRAST_RAMP * progress)
        loss = torch.stack([value * (1.0 if "attributes" in name else share) for name, value in terms.items()]).sum()
        return loss, {name: float(value.detach()) for name, value in {"loss": loss, **terms}.items()}

    @torch.no_grad()
    def validate(self, model: nn.Module) -> dict[str, float]:
        """Shares of held-out scenes of several things in which the answer is right, as the search would judge.

        `found`: the target's crop, of all, fits its description best, and better than the negatives by the margin.
        `absent`: no crop fits a description of what is not there. `patch`: the best patch lies on the target.
        """
        config = LanguageConfig().suited(MINI)
        clip = Clip(
            model,
            self.tokenizer,
            device=next(model.parameters()).device,
            image_size=config.image_size,
            mean=OPENAI_DATASET_MEAN,
            std=OPENAI_DATASET_STD,
            untrained=False,
        )
        found, absent, patch = [], [], []
        negatives = clip.embed_texts(NEGATIVES)
        for index in range(self.scenes):
            world = generate(VALIDATION_SEED + index, 2 + index % 2, 1)
            ids = [thing.id for thing in world.objects if world.visible[0, thing.id - 1] > 0.3]
            boxes = [(float(x), float(y), float(w), float(h)) for x, y, w, h in world.boxes[0, [n - 1 for n in ids]]]
            crops = clip.embed_crops(world.frames[0], boxes)
            texts = clip.embed_texts([world.description, *world.absent])
            margins = crops @ texts.T - (crops @ negatives.T).amax(1, keepdim=True)  # (things, texts)
            best = int(margins[:, 0].argmax())
            found.append(ids[best] == world.target and float(margins[best, 0]) >= config.min_margin)
            absent += (margins[:, 1:].amax(0) < config.min_margin).tolist()
            maps = clip.dense_features(world.frames[0])
            scores = torch.einsum("d,dhw->hw", texts[0], maps)
            row, column = np.unravel_index(int(scores.argmax()), scores.shape)
            height, width = world.ids[0].shape
            y, x = int((row + 0.5) * height / scores.shape[0]), int((column + 0.5) * width / scores.shape[1])
            patch.append(world.ids[0][y, x] == world.target)
        return {"found": float(np.mean(found)), "absent": float(np.mean(absent)), "patch": float(np.mean(patch))}

    def _batches(self, seed: int, shape: LanguageShape, first: int, workers: int) -> Iterator[Any]:
        return language_stream(seed, first, shape, workers, self.model.logit_scale.device)


def contrast(things: Tensor, of: Tensor, texts: Tensor, named: Tensor, negatives: Tensor, scale: Tensor) -> Tensor:
    """Contrastive loss with several true pairs, in both directions, with the search's negatives in between.

    A thing must be nearer to what is true of it than to what is not and to the negatives; nearer to the negatives than
    to what is not true of it (or else nothing would ever be "not found"); and a text nearer to what it is true of.

    Args:
        things: (n, D), unit norm: crops or patches.
        of: int64 (n, 3), attributes; `GROUND` for background, of which no text is true.
        texts: (m, D), unit norm.
        named: int64 (m, 3), attributes that each text names, `UNSAID`, or some that nothing has.
        negatives: (k, D), unit norm.
        scale: factor on cosine similarities.
    """
    ground = of[:, 0] == GROUND
    true = ((named[None] == UNSAID) | (named[None] == of[:, None])).all(-1) & ~ground[:, None]  # (n, m)
    similarity = scale * (things @ texts.T)
    against = torch.logsumexp(scale * (things @ negatives.T), dim=1, keepdim=True)  # (n, 1)
    lowered = similarity - scale * MARGIN * true
    false = torch.where(true, -torch.inf, similarity)
    rivals = torch.cat((false, against), dim=1).logsumexp(1, keepdim=True)
    # Thing to text: each true text against all false ones and the negatives.
    up = _mean_of(F.softplus(rivals - lowered), true)
    # Thing to negatives: these against all false texts.
    down = F.softplus(false.logsumexp(1) - against[:, 0] + scale * MARGIN)
    down = _mean_where(down, ~ground) + _mean_where(down, ground)
    # Text to thing: each thing it is true of against all others.
    others = torch.where(true, -torch.inf, similarity).logsumexp(0, keepdim=True)
    across = _mean_of(F.softplus(others - lowered).T, true.T)
    return up + across + 0.5 * down


def classify(vectors: Tensor, of: Tensor, codes: Tensor, scale: Tensor) -> Tensor:
    """Cross-entropy of colour, pattern and shape, each told by the nearest of fixed vectors.

    Both towers learn at once where in the space every attribute is; by the contrast alone, each would have to wait for
    the other. What has all three attributes lies between their vectors.

    Args:
        vectors: (n, D), unit norm: crops, patches or texts.
        of: int64 (n, 3), attributes; negative where there is none.
        codes: (8 + 5 + 24, D), orthonormal.
        scale: factor on cosine similarities.
    """
    logits, start, losses = scale * (vectors @ codes.T), 0, []
    for column, words in zip(of.unbind(1), (COLOURS, PATTERNS, SHAPES), strict=True):
        known = column >= 0
        part = logits[known, start : start + len(words)]
        losses.append(F.cross_entropy(part, column[known], reduction="sum") / known.sum().clamp(min=1))
        start += len(words)
    return torch.stack(losses).sum()


def _mean_of(values: Tensor, where: Tensor) -> Tensor:
    """Mean over rows of each row's mean over the columns named by `where`; rows without any are left out."""
    count = where.sum(1)
    rows = torch.where(where, values, 0.0).sum(1) / count.clamp(min=1)
    return rows.sum() / (count > 0).sum().clamp(min=1)


def _mean_where(values: Tensor, where: Tensor) -> Tensor:
    return torch.where(where, values, 0.0).sum() / where.sum().clamp(min=1)


def _normalised(images: Tensor) -> Tensor:
    """uint8 (n, H, W, 3) to float32 (n, 3, H, W)."""
    mean, std = (
        torch.tensor(v, device=images.device)[:, None, None] for v in (OPENAI_DATASET_MEAN, OPENAI_DATASET_STD)
    )
    return (images.permute(0, 3, 1, 2).float() / 255 - mean) / std
