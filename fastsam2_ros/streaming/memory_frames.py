"""What a frame leaves for memory: the memory encoder's output, of which the best tokens are kept."""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from sam2.modeling.sam2_base import SAM2Base
from torch import Tensor

from fastsam2_ros.streaming.backends.parts import ExportedParts
from fastsam2_ros.streaming.memory import MemoryFrame
from fastsam2_ros.streaming.shares import TokenShares, best_first, token_count
from fastsam2_ros.streaming.values import Decoded, FrameFeatures
from fastsam2_ros.torch_settings import computing_in


class MemoryFrames:
    """Makes memory frames, pruned when they are made, of frames whose masks are known.

    Args:
        model: SAM 2.
        token_count: N, of the grid.
        precision: of its computations.
        parts: compute the memory encoder of frames without a prompt instead.
    """

    def __init__(self, model: SAM2Base, token_count: int, precision: torch.dtype, parts: ExportedParts | None) -> None:
        self._model = model
        self._all_tokens = torch.arange(token_count, device=model.device)  # all frames share it
        self._precision = precision
        self._parts = parts

    def of_tracked(
        self,
        features: FrameFeatures,
        decoded: Decoded,
        index: int,
        shares: Sequence[TokenShares] | None,
        scores: Tensor | None,
    ) -> list[MemoryFrame]:
        """One for each target of a frame without a prompt; arguments as for `StreamingSam2.remember`."""
        if self._parts is None:
            maps = self._encoded(features, decoded.high_res, decoded.object_score, from_prompt=False)
        else:
            own = self._parts.remember(features.tokens, decoded.high_res, decoded.object_score)
            maps = own.to(torch.bfloat16)
        return self._pruned(maps, index, shares, scores)

    def of_prompt(
        self, features: FrameFeatures, decoded: Decoded, index: int, shares: TokenShares | None, scores: Tensor | None
    ) -> MemoryFrame:
        """That of a frame with a prompt, for its one target."""
        # From the low resolution, as upstream's `propagate_in_video_preflight` does.
        side = self._model.image_size
        high_res = F.interpolate(decoded.low_res, size=(side, side), mode="bilinear", align_corners=False)
        maps = self._encoded(features, high_res, decoded.object_score, from_prompt=True)
        (frame,) = self._pruned(maps, index, None if shares is None else (shares,), scores)
        return frame

    def _encoded(self, features: FrameFeatures, high_res: Tensor, object_score: Tensor, from_prompt: bool) -> Tensor:
        """The memory encoder's output as tokens, bf16, (targets, N, M)."""
        count = len(high_res)
        with computing_in(self._precision, high_res.device):
            encoded, _ = self._model._encode_new_memory(
                current_vision_feats=[features.tokens[:, None].expand(-1, count, -1)],
                feat_sizes=[features.grid],
                pred_masks_high_res=high_res,
                object_score_logits=object_score[:, None],
                is_mask_from_pts=from_prompt,
            )
        return encoded.to(torch.bfloat16).flatten(2).transpose(1, 2)

    def _pruned(
        self, maps: Tensor, index: int, shares: Sequence[TokenShares] | None, scores: Tensor | None
    ) -> list[MemoryFrame]:
        if shares is None or scores is None:
            return [MemoryFrame(index, tokens, self._all_tokens) for tokens in maps]
        return [
            MemoryFrame(index, tokens, self._all_tokens, ranking).keep(token_count(share.ends, len(self._all_tokens)))
            for tokens, ranking, share in zip(maps, best_first(scores), shares, strict=True)
        ]
