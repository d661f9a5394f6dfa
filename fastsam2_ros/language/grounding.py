"""Finding what a text describes: relevance, prompts, SAM 2's masks, and a judgement that can be 'not found'."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F
from torch import Tensor

from fastsam2_ros.config import LanguageConfig
from fastsam2_ros.language import candidates, scoring
from fastsam2_ros.language.protocols import Features, ImageTextEncoder, Segmenter
from fastsam2_ros.language.relevance import dense_relevance, sharpen
from fastsam2_ros.language.vocabulary import contrasts, negatives_for
from fastsam2_ros.results import Box
from fastsam2_ros.streaming.prompts import BOX_FIRST

LEAST_QUALITY = 0.25
"""Of a mask that is judged (`scoring.quality`): what fits the relevant region less, or is no object to SAM 2, is none. Chosen
with mini on COCO's photographs: it refuses more of what is absent than a higher margin would, and less of what is there.
"""
ANYTHING = -2.0
"""A `min_margin` that refuses nothing: then the best candidate is taken, whatever its quality."""
TRUST = 0.25
"""Power of a crop's probability in the score: what the masks are like tells more than how much surer CLIP is of one of them."""
CROPS = 8
"""Masks per description that CLIP looks at; each costs a pass of the image tower."""
PROMPTS_AT_ONCE = 32
"""Prompts in one batch of the mask decoder, which needs at least 4 MB for each at 1024 pixels."""
ALTERNATIVE_SLACK = 0.04
"""What is taken from a candidate's similarity to alternatives, before they count as negatives: with mini's `min_margin` of -.06
one refuses what it fits better than the description by .1. Both were chosen on generated frames and COCO's photographs.
"""
SAME_PART = 0.5
"""A mask whose IoU with a part of another is above this is a mask of that part."""
REGION_IOU, REGION_SLOPE = 0.35, 20.0
"""A region of the relevance map is a mask too, for when SAM 2 has no good one: the IoU that is expected of it, and logits per
relevance. SAM 2's own masks of high predicted IoU go before it.
"""


@dataclass(frozen=True, eq=False)
class Grounding:
    """One description, found.

    Attributes:
        description: as it was asked for.
        mask_logits: float32 (h, w), low resolution, covering the whole frame; above 0 is the object.
        box: the tight box of the mask, pixels of the frame.
        points: float32 (3, 2), the prompt that gave the mask: x, y in pixels of the frame.
        labels: int32 (3,), in SAM's convention.
        score: [0, 1], mask quality times the crop's probability of being the description to the power of `TRUST`.
        margin: cosine similarity of the crop with the description minus that with the best negative, [-2, 2]; the
            description in other colours and patterns (`contrasts`) counts as one, and so do its alternatives,
            with `ALTERNATIVE_SLACK`. Of one of two things that a mask lies on, that of both, if it is larger.
    """

    description: str
    mask_logits: Tensor
    box: Box
    points: Tensor
    labels: Tensor
    score: float
    margin: float

    @property
    def mask(self) -> Tensor:
        """bool (h, w)."""
        return self.mask_logits > 0


@torch.inference_mode()
def ground(
    frame: npt.NDArray[np.uint8],
    features: Features,
    descriptions: Sequence[str],
    clip: ImageTextEncoder,
    segmenter: Segmenter,
    config: LanguageConfig,
    dense: Tensor | None = None,
    others: Sequence[str] = (),
    unlike: Sequence[Sequence[str]] | None = None,
    alternatives: Sequence[Tensor | None] = (),
    narrow: Callable[[list[tuple[int, Grounding]]], list[tuple[int, Grounding]]] = lambda found: found,
) -> list[Grounding | None]:
    """Find each description in a frame. An object goes to the description that fits it best, and to no other.

    Args:
        frame: uint8 (H, W, 3), RGB.
        features: what SAM 2's image encoder made of it.
        descriptions: clean ones (`descriptions.split`).
        dense: `clip.dense_features(frame)`, where the caller has it already.
        others: further negatives: descriptions of what is not wanted.
        unlike: negatives of each description alone; None: its `contrasts`.
        alternatives: of each description, texts of what else a candidate might be, float32 (k, D), unit norm (`Alternatives`).
        narrow: leaves some of the judged candidates, each with the index of its description (`relations.decide`).

    Returns:
        one for each description; None: not found, by `config.min_margin`. The same for the same input.
    """
    if not descriptions:
        return []
    texts, negatives = clip.embed_texts(descriptions), clip.embed_texts((*negatives_for(descriptions), *others))
    dense = clip.dense_features(frame) if dense is None else dense
    own = [clip.embed_texts(each) for each in (map(contrasts, descriptions) if unlike is None else unlike)]
    relevance = _token_relevance(dense, texts, negatives, own, clip.logit_scale, features)
    found = _segment(features, relevance, frame.shape[:2], descriptions, segmenter, limit=config.max_candidates)
    if config.min_margin > ANYTHING:
        found = [(index, each) for index, each in found if each.score >= LEAST_QUALITY]
    if found:
        masks = torch.stack([grounding.mask for _, grounding in found])
        crops = clip.embed_crops(frame, [grounding.box for _, grounding in found], masks)
        found = narrow(_taken_apart(_judge(found, crops, texts, negatives, own, alternatives, clip.logit_scale)))
    return _assign(found, len(descriptions), config.min_margin)


def _token_relevance(
    dense: Tensor, texts: Tensor, negatives: Tensor, own: Sequence[Tensor], logit_scale: float, features: Features
) -> Tensor:
    """(n, rows, columns) on SAM 2's token grid, sharpened by SAM 2's tokens; `own`: negatives of each text alone."""
    coarse = torch.cat(
        [
            dense_relevance(dense, texts.roll(-row, 0), torch.cat((negatives, unlike)), logit_scale)[:1]
            for row, unlike in enumerate(own)
        ]
    )
    fine = F.interpolate(coarse[None], features.grid, mode="bilinear", align_corners=False)[0]
    tokens = features.tokens
    return sharpen(fine.flatten(1).to(tokens.device), tokens).unflatten(1, features.grid)


def _segment(
    features: Features,
    relevance: Tensor,
    size: tuple[int, int],
    descriptions: Sequence[str],
    segmenter: Segmenter,
    *,
    limit: int,
) -> list[tuple[int, Grounding]]:
    """The best distinct masks of every description, with its index; score is the mask's quality alone."""
    maps = relevance.cpu().numpy()
    prompts = [candidates.prompts(each, size, limit) for each in maps]
    owner = [index for index, (points, _, _) in enumerate(prompts) for _ in points]
    if not owner:
        return []
    points, labels, regions = (
        torch.from_numpy(np.concatenate(parts)).to(relevance.device) for parts in zip(*prompts, strict=True)
    )
    batches = [
        segmenter.segment(features, some_points, some_labels, size)
        for some_points, some_labels in zip(points.split(PROMPTS_AT_ONCE), labels.split(PROMPTS_AT_ONCE), strict=True)
    ]
    logits = torch.cat([batch[0] for batch in batches]).float()  # (prompts, 3, h, w)
    predicted = torch.cat([batch[1] for batch in batches])  # (prompts, 3)
    # A fourth mask, of the boxes' own regions; NaN, which is not usable, where a prompt is a point.
    fourth = logits.new_full((len(logits), 1, *logits.shape[2:]), torch.nan)
    boxes = labels[:, 0] == BOX_FIRST
    shares = F.interpolate(regions[:, None], logits.shape[2:], mode="bilinear", align_corners=False)
    fourth[boxes] = REGION_SLOPE * (shares - candidates.REGION_LEVEL).to(fourth)
    logits = torch.cat((logits, fourth), dim=1)
    predicted = F.pad(predicted, (0, 1), value=REGION_IOU)

    found: list[tuple[int, Grounding]] = []
    for index, description in enumerate(descriptions):
        own = [prompt for prompt, each in enumerate(owner) if each == index]
        if not own:
            continue
        masks = logits[own].flatten(0, 1)
        quality = scoring.quality(masks, predicted[own].flatten(), relevance[index])
        ranked = torch.argsort(quality.score, descending=True, stable=True).tolist()
        usable = quality.usable.tolist()
        for mask in scoring.distinct(masks, [each for each in ranked if usable[each]], CROPS):
            prompt = own[mask // logits.shape[1]]
            box = scoring.mask_box(masks[mask], size)
            score = float(quality.score[mask])
            found.append((index, Grounding(description, masks[mask], box, points[prompt], labels[prompt], score, 0.0)))
    return found


def _judge(
    found: list[tuple[int, Grounding]],
    crops: Tensor,
    texts: Tensor,
    negatives: Tensor,
    own: Sequence[Tensor],
    alternatives: Sequence[Tensor | None],
    logit_scale: float,
) -> list[tuple[int, Grounding]]:
    """With CLIP's word on every crop: its margin, and a power of its probability as a factor of the score.

    `own`: negatives of each description alone, (k, D); `alternatives`: likewise, where there are any.
    """
    judged = []
    for crop, (index, each) in zip(crops.float(), found, strict=True):
        against = torch.cat((negatives, own[index])).to(crop).float() @ crop
        similarity = texts.to(crop).float() @ crop
        probability = torch.softmax(logit_scale * torch.cat((similarity, against)), dim=0)[index]
        best, others = against.max(), alternatives[index] if alternatives else None
        if others is not None and len(others):
            best = torch.maximum(best, (others.to(crop).float() @ crop).max() - ALTERNATIVE_SLACK)
        margin = float(similarity[index] - best)
        judged.append((index, replace(each, score=each.score * float(probability) ** TRUST, margin=margin)))
    return judged


def _assign(found: list[tuple[int, Grounding]], descriptions: int, min_margin: float) -> list[Grounding | None]:
    """Best first; what is taken is taken, and who comes too late for an object gets no part of it either.

    A NaN margin or score is never good enough.
    """
    results: list[Grounding | None] = [None] * descriptions
    late = [False] * descriptions
    good = [(index, each) for index, each in found if each.margin >= min_margin and each.score >= 0]
    for index, each in sorted(good, key=lambda pair: -pair[1].score):
        if results[index] is not None:
            continue
        others = [other.mask_logits for other in results if other is not None]
        if any(scoring.mask_iou(each.mask_logits, other) > scoring.SAME_MASK for other in others):
            late[index] = True
        elif not (late[index] and any(scoring.mask_overlap(each.mask_logits, o) > scoring.PART_OF for o in others)):
            results[index] = each
    return results


def _taken_apart(found: list[tuple[int, Grounding]]) -> list[tuple[int, Grounding]]:
    """Without masks that lie on two places, where others are of one of these: those count as fitting the text as well."""
    parts = [scoring.parts_apart(each.mask_logits) for _, each in found]
    margins, whole = [each.margin for _, each in found], [True] * len(found)
    for row, (index, both) in enumerate(found):
        for other, (same, each) in enumerate(found):
            single = same == index and not parts[other]
            if single and any(scoring.mask_iou(each.mask_logits, part) > SAME_PART for part in parts[row]):
                margins[other], whole[row] = max(margins[other], both.margin), False
    return [
        (index, replace(each, margin=margin))
        for (index, each), margin, one in zip(found, margins, whole, strict=True)
        if one
    ]
