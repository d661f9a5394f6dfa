"""SAM 2, one frame at a time, all targets in one batch, on any subset of tokens.

Everything is computed by the `sam2` package's own modules; only the bookkeeping around them and the gathering of tokens
are ours. With all tokens kept, masks equal those of upstream's `SAM2VideoPredictor`.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import numpy.typing as npt
import torch
from sam2.modeling.sam2_base import SAM2Base
from torch import Tensor

from fastsam2_ros.errors import ModelError
from fastsam2_ros.results import AttentionCounts
from fastsam2_ros.streaming.attention import Queries, attend
from fastsam2_ros.streaming.backends.parts import ExportedParts
from fastsam2_ros.streaming.boxes import END_AT_BOXES, within_boxes
from fastsam2_ros.streaming.cost import AttentionSize
from fastsam2_ros.streaming.fill import fill
from fastsam2_ros.streaming.keys import MemoryKeys
from fastsam2_ros.streaming.memory import TargetMemory
from fastsam2_ros.streaming.memory_frames import MemoryFrames
from fastsam2_ros.streaming.neck import image_encoder
from fastsam2_ros.streaming.picture import Preparation
from fastsam2_ros.streaming.prompts import Prompt, mask_input, point_inputs
from fastsam2_ros.streaming.rotary import RotaryTable
from fastsam2_ros.streaming.shares import TokenShares, token_count
from fastsam2_ros.streaming.values import Decoded, FrameFeatures
from fastsam2_ros.streaming.warp import STILL
from fastsam2_ros.torch_settings import computing_in


class StreamingSam2:
    """The weights and the steps; all state of a target is in its `TargetMemory`.

    Args:
        model: SAM 2 with its weights.
        precision: of its computations.
        prompt_frames: kept in a target's memory.
        memory_frames: attended to, one prompt frame included; 0: as many as the model was trained with.
        upstream_encoder: for comparisons with upstream: frames are resized and encoded as it does, and not by `picture`, which
            differs from it by two grey levels at most, and by `neck`, which differs by rounding alone; and masks do not end
            at boxes, whatever the model's configuration says.
        parts: compute the image encoder instead, and, while a target is tracked, the mask decoder and the memory encoder.

    Raises:
        ModelError: a SAM 2 variant that cannot be streamed, or more memory frames than it knows.
    """

    def __init__(
        self,
        model: SAM2Base,
        precision: torch.dtype = torch.float32,
        prompt_frames: int = 2,
        memory_frames: int = 0,
        upstream_encoder: bool = False,
        parts: ExportedParts | None = None,
    ) -> None:
        if not model.directly_add_no_mem_embed or not model.use_obj_ptrs_in_encoder or model.num_feature_levels != 3:
            raise ModelError(
                "This SAM 2 configuration has no object pointers or fine features; take a SAM 2 or 2.1 one."
            )
        if model.memory_temporal_stride_for_eval != 1:
            raise ModelError(
                "memory_temporal_stride_for_eval must be 1 for streaming; change the model's configuration."
            )
        if memory_frames and not 2 <= memory_frames <= model.num_maskmem:
            raise ModelError(
                f"model.memory_frames is {memory_frames}, but this model knows 2 to {model.num_maskmem}; 0 takes them all."
            )
        self.model = model.eval()
        self.memory_frames = memory_frames or model.num_maskmem
        self.attention_size = AttentionSize.of(model)
        self.precision = precision
        self.prompt_frames = prompt_frames
        self._end_at_boxes = bool(getattr(model, END_AT_BOXES, False)) and not upstream_encoder
        self._parts = parts
        self._encoder = image_encoder(model, upstream_encoder) if parts is None else parts.encode
        self.device = model.device
        side = model.image_size // model.backbone_stride
        self.grid = (side, side)
        self.token_count = side * side
        self._prepare = Preparation(model.image_size, self.device, upstream_encoder)
        self._rotary = RotaryTable.of(model.memory_attention, self.grid, self.device)
        with torch.inference_mode():
            grid_map = torch.zeros(1, model.hidden_dim, side, side, device=self.device)
            self._query_positions = self._flat(model.image_encoder.neck.position_encoding(grid_map))  # (1, N, C)
            memory_map = torch.zeros(1, model.mem_dim, side, side, device=self.device)
            key_positions = self._flat(model.memory_encoder.position_encoding(memory_map))[0]  # (N, M)
        self._keys = MemoryKeys(model, key_positions, self._rotary)
        self._memory_frames = MemoryFrames(model, self.token_count, precision, parts)

    def new_memory(self) -> TargetMemory:
        """Empty memory for one more target."""
        return TargetMemory(self.memory_frames - 1, self.prompt_frames, self.model.max_obj_ptrs_in_encoder - 1)

    def encode(self, frame: npt.NDArray[np.uint8]) -> FrameFeatures:
        """Run the image encoder. frame: uint8 (H, W, 3), RGB."""
        return self.encode_batch([frame])[0]

    @torch.inference_mode()
    def encode_batch(self, frames: Sequence[npt.NDArray[np.uint8]]) -> list[FrameFeatures]:
        """Run the image encoder once on frames of any sizes, each uint8 (H, W, 3), RGB."""
        pictures, inputs = zip(*map(self._prepare, frames), strict=True)
        images = torch.cat(inputs)
        with computing_in(self.precision, self.device):
            maps = self._encoder(images)
        fine, middle, coarse = (each.split(1) for each in maps)
        return [
            FrameFeatures(
                (fine[row], middle[row], coarse[row]),
                self._flat(coarse[row])[0],
                self.grid,
                (frame.shape[0], frame.shape[1]),
                pictures[row],
            )
            for row, frame in enumerate(frames)
        ]

    @torch.inference_mode()
    def condition(
        self,
        features: FrameFeatures,
        memories: Sequence[TargetMemory],
        index: int,
        tokens: Sequence[Tensor | None],
        before: Sequence[Tensor | None] = (),
        camera: npt.NDArray[np.float64] = STILL,
    ) -> Tensor:
        """Memory attention: each target's tokens look at its memory.

        Targets whose memories have the same length go through as one batch, the others group by group.

        Args:
            features: of frame `index`.
            memories: one per target, each with a prompt.
            index: number of the processed frame.
            tokens: per target the int64 (kept,) grid indices that are conditioned, rising; None: all of them.
            before: per target what this returned for the last frame, (N, C), which the other tokens are filled from; needed
                where some are left out.
            camera: (2, 3), `Motion.camera` since the last frame.

        Returns:
            (targets, N, C): the grid of conditioned features for the decoder.
        """
        before = before or [None] * len(memories)
        groups: dict[tuple[int, int, int], list[int]] = defaultdict(list)
        for row, (memory, kept) in enumerate(zip(memories, tokens, strict=True)):
            spatial, pointers = memory.layout(index)
            groups[spatial, pointers, self.token_count if kept is None else len(kept)].append(row)
        conditioned: list[Tensor | None] = [None] * len(memories)
        with computing_in(self.precision, self.device):
            for (_, _, count), rows in groups.items():
                keys = self._keys.of([memories[row] for row in rows], index)
                chosen = [tokens[row] for row in rows]
                dense = count == self.token_count
                stacked = None if dense else torch.stack([kept for kept in chosen if kept is not None])
                outputs = attend(self.model.memory_attention, self._queries(features, stacked, len(rows)), keys)
                for row, output in zip(rows, outputs, strict=True):
                    kept = tokens[row]
                    conditioned[row] = output if kept is None else self._filled(output, kept, before[row], camera)
        return torch.stack([output for output in conditioned if output is not None])

    def attention_counts(
        self, memories: Sequence[TargetMemory], index: int, tokens: Sequence[Tensor | None]
    ) -> list[AttentionCounts]:
        """What takes part in `condition` with these arguments, per target."""
        split = self.model.hidden_dim // self.model.mem_dim
        counts = []
        for memory, kept in zip(memories, tokens, strict=True):
            spatial, pointers = memory.layout(index)
            queries = self.token_count if kept is None else len(kept)
            counts.append(AttentionCounts(queries, spatial, pointers * split))
        return counts

    @torch.inference_mode()
    def decode(self, features: FrameFeatures, conditioned: Tensor) -> Decoded:
        """Masks of all targets from their conditioned features (targets, N, C)."""
        if self._parts is not None:
            return self._parts.decode(conditioned, features.maps[:2])
        multimask = self.model._use_multimask(is_init_cond_frame=False, point_inputs=None)
        return self._heads(features, conditioned, None, multimask)

    @torch.inference_mode()
    def decode_prompt(self, features: FrameFeatures, prompt: Prompt) -> Decoded:
        """The mask of one prompt, without any memory."""
        if prompt.mask is not None:
            mask = mask_input(prompt.mask, self.model.image_size, self.device)
            tokens = features.tokens[None]
            with computing_in(self.precision, self.device):
                outputs = self.model._use_mask_as_output(self._as_map(tokens), self._fine_maps(features, 1), mask)
            return Decoded.of_heads(outputs)
        points = torch.from_numpy(prompt.points)[None]
        labels = torch.from_numpy(prompt.labels)[None]
        inputs = point_inputs(points, labels, features.size, self.model.image_size, self.device)
        multimask = self.model._use_multimask(is_init_cond_frame=True, point_inputs=inputs)
        return self._heads(features, self._without_memory(features, 1), inputs, multimask)

    @torch.inference_mode()
    def segment(
        self, features: FrameFeatures, points: Tensor, labels: Tensor, size: tuple[int, int]
    ) -> tuple[Tensor, Tensor]:
        """Three masks for each of several prompts, in one batch and without memory, for grounding.

        Args:
            features: of the frame.
            points: float32, (prompts, P, 2), x and y in pixels of a frame of `size`.
            labels: int32, (prompts, P), SAM's labels, -1 for padding.
            size: (H, W), pixels.

        Returns:
            mask logits, float32, (prompts, 3, 4 g, 4 g), covering the whole frame, and predicted IoU (prompts, 3).
        """
        inputs = point_inputs(points, labels, size, self.model.image_size, self.device)
        count = len(points)
        image = self._as_map(self._without_memory(features, count))
        encoder, decoder = self.model.sam_prompt_encoder, self.model.sam_mask_decoder
        with computing_in(self.precision, self.device):
            sparse, dense = encoder(points=(inputs["point_coords"], inputs["point_labels"]), boxes=None, masks=None)
            masks, ious, _, _ = decoder(
                image_embeddings=image,
                image_pe=encoder.get_dense_pe(),
                sparse_prompt_embeddings=sparse,
                dense_prompt_embeddings=dense,
                multimask_output=True,
                repeat_image=False,
                high_res_features=self._fine_maps(features, count),
            )
        return self._ended(masks.float(), inputs), ious.float()

    @torch.inference_mode()
    def remember(
        self,
        features: FrameFeatures,
        decoded: Decoded,
        memories: Sequence[TargetMemory],
        index: int,
        shares: Sequence[TokenShares] | None = None,
        scores: Tensor | None = None,
    ) -> None:
        """Write the frame into every target's memory, pruned by `scores` to what its `shares` allow.

        Args:
            features, decoded: of frame `index`.
            memories: one per target.
            index: number of the processed frame.
            shares: one per target; None: all tokens are kept.
            scores: (targets, N), higher for tokens that are worth keeping; not needed where all are kept.
        """
        frames = self._memory_frames.of_tracked(features, decoded, index, shares, scores)
        for row, (memory, frame) in enumerate(zip(memories, frames, strict=True)):
            memory.add(frame, decoded.pointer[row], self._middle_tokens(None if shares is None else shares[row]))

    @torch.inference_mode()
    def remember_prompt(
        self,
        features: FrameFeatures,
        decoded: Decoded,
        memory: TargetMemory,
        index: int,
        shares: TokenShares | None = None,
        scores: Tensor | None = None,
    ) -> None:
        """Write a prompt's frame into one target's memory; arguments as for `remember`, with one target."""
        frame = self._memory_frames.of_prompt(features, decoded, index, shares, scores)
        memory.add_prompt(frame, decoded.pointer[0], self._middle_tokens(shares))

    # ---- pieces ----

    @staticmethod
    def _flat(grid_map: Tensor) -> Tensor:
        """(B, C, h, w) to (B, h * w, C)."""
        return grid_map.flatten(2).transpose(1, 2)

    def _as_map(self, tokens: Tensor) -> Tensor:
        """(B, N, C) to (B, C, g, g), without a copy."""
        return tokens.transpose(1, 2).unflatten(2, self.grid)

    def _fine_maps(self, features: FrameFeatures, count: int) -> list[Tensor]:
        return [fine.expand(count, -1, -1, -1) for fine in features.maps[:2]]

    def _without_memory(self, features: FrameFeatures, count: int) -> Tensor:
        return features.tokens[None].expand(count, -1, -1) + self.model.no_mem_embed

    def _queries(self, features: FrameFeatures, tokens: Tensor | None, targets: int) -> Queries:
        if tokens is None:
            image = features.tokens[None].expand(targets, -1, -1)
            return Queries(image, self._query_positions.expand(targets, -1, -1), self._rotary.all())
        return Queries(features.tokens[tokens], self._query_positions[0][tokens], self._rotary.at(tokens))

    def _filled(self, output: Tensor, kept: Tensor, before: Tensor | None, camera: npt.NDArray[np.float64]) -> Tensor:
        if before is None:
            raise ValueError("Tokens are left out, but there is no last frame to fill them from: give `before`.")
        return fill(output, kept, before, self.grid, camera)

    def _heads(
        self, features: FrameFeatures, tokens: Tensor, point_inputs: dict[str, Tensor] | None, multimask: bool
    ) -> Decoded:
        with computing_in(self.precision, self.device):
            outputs = self.model._forward_sam_heads(
                backbone_features=self._as_map(tokens),
                point_inputs=point_inputs,
                high_res_features=self._fine_maps(features, len(tokens)),
                multimask_output=multimask,
            )
        decoded = Decoded.of_heads(outputs)
        if point_inputs is None:
            return decoded
        low_res, high_res = (self._ended(masks, point_inputs) for masks in (decoded.low_res, decoded.high_res))
        return replace(decoded, low_res=low_res, high_res=high_res)

    def _ended(self, masks: Tensor, inputs: dict[str, Tensor]) -> Tensor:
        if not self._end_at_boxes:
            return masks
        return within_boxes(masks, inputs["point_coords"], inputs["point_labels"], self.model.image_size)

    def _middle_tokens(self, shares: TokenShares | None) -> int:
        return self.token_count if shares is None else token_count(shares.middle, self.token_count)
