"""What a policy's memory attention costs at the sizes of SAM 2.1 `tiny`, and what a whole step then gains."""

from __future__ import annotations

from fastsam2_ros.results import AttentionCounts
from fastsam2_ros.streaming.cost import AttentionSize

TINY = AttentionSize(
    tokens=4096, frames=7, layers=4, width=256, memory_width=64, self_width=256, cross_width=256, feedforward=2048
)
"""All released SAM 2.1 models have the same memory attention."""
POINTER_TOKENS = 64
"""Of a full memory: 16 object pointers of 256 channels, each as four tokens of 64; in `mini` one of 128 is four of 32."""
ENCODER = {"tiny": 292e9, "base_plus": 647e9}
"""FLOPs of the image encoder for one frame, by model."""
DECODER, MEMORY_ENCODER = 4e9, 12e9
"""FLOPs for one target and frame."""

DENSE = TINY.flops(AttentionCounts(TINY.tokens, TINY.frames * TINY.tokens, POINTER_TOKENS))
"""With everything kept and a full memory: 606 GFLOPs."""


def at_tiny_sizes(counts: AttentionCounts, tokens: int) -> float:
    """FLOPs of memory attention for the same shares of `tiny`'s grid.

    Args:
        counts: of one target in one frame.
        tokens: in the grid of the model that ran.
    """
    factor = TINY.tokens / tokens
    return TINY.flops(AttentionCounts(round(counts.queries * factor), round(counts.keys * factor), counts.pointers))


def speed_up(model: str, share: float) -> float:
    """How much faster a step with one target is by FLOPs, where memory attention costs this share of the dense one."""
    rest = ENCODER[model] + DECODER + MEMORY_ENCODER
    return (rest + DENSE) / (rest + share * DENSE)
