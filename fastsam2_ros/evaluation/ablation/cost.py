"""What memory attention costs in floating point operations, at the sizes of SAM 2.1 `tiny`, and what a whole step then gains.

A multiplication with an addition is two operations. Softmax, norms and rotary encoding are left out: together they are below
a hundredth.
"""

from __future__ import annotations

TOKENS = 4096
"""In the grid of an image of 1024 x 1024 pixels."""
MEMORY_FRAMES, POINTERS = 7, 16
"""Of a full memory."""
TOKENS_PER_POINTER = 4
"""An object pointer of 256 channels is four tokens of 64, in `mini` one of 128 four of 32."""
_LAYERS, _WIDTH, _MEMORY_WIDTH, _HIDDEN = 4, 256, 64, 2048

ENCODER = {"tiny": 292e9, "base_plus": 647e9}
"""FLOPs of the image encoder for one frame, by model."""
DECODER, MEMORY_ENCODER = 4e9, 12e9
"""FLOPs for one target and frame."""


def attention_flops(queries: float, keys: float, pointers: float = POINTERS * TOKENS_PER_POINTER) -> float:
    """FLOPs of memory attention for one target and frame.

    Args:
        queries: tokens of this frame that are conditioned.
        keys: spatial tokens of the memory.
        pointers: tokens of object pointers.
    """
    every = keys + pointers
    own = 4 * 2 * queries * _WIDTH**2 + 2 * 2 * queries**2 * _WIDTH
    memory = 2 * 2 * queries * _WIDTH**2 + 2 * 2 * every * _MEMORY_WIDTH * _WIDTH + 2 * 2 * queries * every * _WIDTH
    forward = 2 * 2 * queries * _WIDTH * _HIDDEN
    return _LAYERS * (own + memory + forward)


DENSE = attention_flops(TOKENS, MEMORY_FRAMES * TOKENS)
"""With everything kept and a full memory: 606 GFLOPs."""


def at_tiny_sizes(queries: float, keys: float, pointers: int, tokens: int) -> float:
    """`attention_flops` of the same shares of `tiny`'s grid.

    Args:
        queries, keys: tokens.
        pointers: object pointers.
        tokens: in the grid of the model that ran.
    """
    scale = TOKENS / tokens
    return attention_flops(queries * scale, keys * scale, pointers * TOKENS_PER_POINTER)


def speed_up(model: str, share: float) -> float:
    """How much faster a step with one target is by FLOPs, where memory attention costs this share of the dense one."""
    rest = ENCODER[model] + DECODER + MEMORY_ENCODER
    return (rest + DENSE) / (rest + share * DENSE)


def share_for(model: str, factor: float) -> float:
    """The share of dense memory attention with which a step is `factor` times as fast: the inverse of `speed_up`."""
    rest = ENCODER[model] + DECODER + MEMORY_ENCODER
    return ((rest + DENSE) / factor - rest) / DENSE
