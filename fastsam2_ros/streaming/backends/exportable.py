"""SAM 2's parts with tensors in and tensors out, as they are exported, for one image and one target at a time."""

from __future__ import annotations

import torch
from sam2.modeling.sam2_base import SAM2Base
from torch import Tensor, nn

from fastsam2_ros.streaming import neck
from fastsam2_ros.streaming.values import Decoded

LAYOUT = 2
"""Number of what the parts take and give: exports of another one are of no use."""


def fits(model: SAM2Base) -> bool:
    """Whether this model's parts can be exported: as all released ones, it has the neck that `neck.project` computes, and
    remembers the targets of a batch each by itself.
    """
    return neck.fits(model) and not model.non_overlap_masks_for_mem_enc


def parts(model: SAM2Base) -> dict[str, tuple[nn.Module, tuple[Tensor, ...]]]:
    """Each part of a model that `fits`, with inputs on the CPU of the shapes that it takes; named as in `ExportedParts`."""
    side, grid, width = int(model.image_size), model.sam_image_embedding_size, int(model.hidden_dim)
    decoder = model.sam_mask_decoder
    finest, fine = (each.out_channels for each in (decoder.conv_s0, decoder.conv_s1))
    tokens, mask = torch.zeros(1, grid * grid, width), torch.zeros(1, 1, side, side)
    maps = torch.zeros(1, finest, 4 * grid, 4 * grid), torch.zeros(1, fine, 2 * grid, 2 * grid)
    return {
        "encoder": (Encoder(model).eval(), (torch.zeros(1, 3, side, side),)),
        "decoder": (Decoder(model).eval(), (tokens, *maps)),
        "memory_encoder": (MemoryEncoder(model).eval(), (tokens, mask, torch.zeros(1, 1))),
    }


class Encoder(nn.Module):
    """The image encoder."""

    def __init__(self, model: SAM2Base) -> None:
        super().__init__()
        self._model = model

    def forward(self, images: Tensor) -> tuple[Tensor, ...]:
        """See `parts.ImageEncoder`."""
        return neck.project(self._model, self._model.image_encoder.trunk(images))


class Decoder(nn.Module):
    """The mask decoder and its prompt encoder, without a prompt: as they run while a target is tracked."""

    def __init__(self, model: SAM2Base) -> None:
        super().__init__()
        self._model = model
        self._multimask = model._use_multimask(is_init_cond_frame=False, point_inputs=None)

    def forward(self, tokens: Tensor, finest: Tensor, fine: Tensor) -> tuple[Tensor, ...]:
        """(1, N, C) and the two fine maps to the values of `Decoded`, in its order."""
        grid = self._model.sam_image_embedding_size
        outputs = self._model._forward_sam_heads(
            backbone_features=tokens.transpose(1, 2).unflatten(2, (grid, grid)),
            high_res_features=[finest, fine],
            multimask_output=self._multimask,
        )
        decoded = Decoded.of_heads(outputs)
        return decoded.low_res, decoded.high_res, decoded.predicted_iou, decoded.object_score, decoded.pointer


class MemoryEncoder(nn.Module):
    """The memory encoder, for masks of the mask decoder."""

    def __init__(self, model: SAM2Base) -> None:
        super().__init__()
        self._model = model

    def forward(self, tokens: Tensor, high_res: Tensor, object_score: Tensor) -> Tensor:
        """(1, N, C), (1, 1, S, S) and (1, 1) to (1, N, M)."""
        grid = self._model.sam_image_embedding_size
        encoded, _ = self._model._encode_new_memory(
            current_vision_feats=[tokens.transpose(0, 1)],
            feat_sizes=[(grid, grid)],
            pred_masks_high_res=high_res,
            object_score_logits=object_score,
            is_mask_from_pts=False,
        )
        return encoded.flatten(2).transpose(1, 2)
