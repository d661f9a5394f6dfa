"""What memory attention costs, in floating-point operations, for any token counts and any size of model."""

from __future__ import annotations

from dataclasses import dataclass

from sam2.modeling.sam2_base import SAM2Base

from fastsam2_ros.results import AttentionCounts


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
