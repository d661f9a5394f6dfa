"""What memory attention costs, in floating-point operations, for any token counts and any size of model."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from omegaconf import OmegaConf
from sam2.modeling.sam2_base import SAM2Base

from fastsam2_ros.results import AttentionCounts

_STRIDE = 16
"""Pixels per token, where a configuration does not say."""


@dataclass(frozen=True)
class AttentionSize:
    """Dimensions of a model's memory attention.

    Attributes:
        tokens: of one frame's grid.
        frames: spatial memory frames with one prompt frame (upstream's `num_maskmem`).
        layers: each self attention, cross attention and a feed-forward network.
        width: C, channels of an image token.
        memory_width: M, channels of a memory token.
        self_width, cross_width: channels of queries, keys and values inside the attentions, over all heads.
        feedforward: hidden channels of the feed-forward network.
    """

    tokens: int
    frames: int
    layers: int
    width: int
    memory_width: int
    self_width: int
    cross_width: int
    feedforward: int

    @classmethod
    def of(cls, model: SAM2Base) -> AttentionSize:
        """Of a model that is loaded."""
        attention = model.memory_attention
        layer = attention.layers[0]
        return cls(
            tokens=(model.image_size // model.backbone_stride) ** 2,
            frames=model.num_maskmem,
            layers=len(attention.layers),
            width=attention.d_model,
            memory_width=layer.cross_attn_image.kv_in_dim,
            self_width=layer.self_attn.internal_dim,
            cross_width=layer.cross_attn_image.internal_dim,
            feedforward=layer.dim_feedforward,
        )

    @classmethod
    def of_config(cls, path: Path) -> AttentionSize:
        """Of a sam2 YAML configuration (`loading.find_config`), without building the model."""
        model = OmegaConf.load(path).model
        attention, layer = model.memory_attention, model.memory_attention.layer
        return cls(
            tokens=(model.image_size // model.get("backbone_stride", _STRIDE)) ** 2,
            frames=model.get("num_maskmem", 7),
            layers=attention.num_layers,
            width=attention.d_model,
            memory_width=layer.cross_attention.kv_in_dim,
            self_width=layer.self_attention.embedding_dim // layer.self_attention.get("downsample_rate", 1),
            cross_width=layer.cross_attention.embedding_dim // layer.cross_attention.get("downsample_rate", 1),
            feedforward=layer.dim_feedforward,
        )

    def flops(self, counts: AttentionCounts) -> float:
        """Operations of one target's memory attention in one frame, two for each multiplication with addition.

        Projections, attention and feed-forward network; norms, activations, softmax and positions are left out, as in
        torch's `FlopCounterMode`.
        """
        queries, keys = counts.queries, counts.keys + counts.pointers
        self_attention = 4 * queries * self.width * self.self_width + 2 * queries**2 * self.self_width
        cross_attention = 2 * (queries * self.width + keys * self.memory_width + queries * keys) * self.cross_width
        feedforward = 2 * queries * self.width * self.feedforward
        return float(2 * self.layers * (self_attention + cross_attention + feedforward))

    def scaled(self, counts: AttentionCounts, tokens: int) -> AttentionCounts:
        """The counts that the same shares are in a model of this size.

        Args:
            counts: of another model; pointers stay as they are.
            tokens: of one frame's grid there.
        """
        factor = self.tokens / tokens
        return AttentionCounts(
            queries=round(counts.queries * factor),
            keys=round(counts.keys * factor),
            pointers=counts.pointers,
        )
