"""SAM 2's memory attention on a subset of queries and keys, with the weights of upstream's own modules.

Tokens are gathered physically: an attention mask would save nothing, and would turn flash attention off. With all tokens
the outputs equal upstream's `MemoryAttention` bit for bit.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch.nn.functional as F
from sam2.modeling.memory_attention import MemoryAttention, MemoryAttentionLayer
from sam2.modeling.sam.transformer import RoPEAttention
from torch import Tensor

from fastsam2_ros.streaming.rotary import rotate


@dataclass(frozen=True)
class Queries:
    """This frame's tokens that are conditioned on memory.

    Attributes:
        tokens: (targets, count, C), image features.
        positions: (targets, count, C), sine encoding.
        angles: complex64, (targets or 1, 1, count, head_dim / 2), rotary.
    """

    tokens: Tensor
    positions: Tensor
    angles: Tensor


@dataclass(frozen=True)
class Keys:
    """Memory that is attended to: spatial tokens first, then object pointers, which are never rotated.

    Attributes:
        tokens: (targets, spatial + pointers, M).
        positions: (targets, spatial + pointers, M), sine plus temporal encoding.
        angles: complex64, (targets, 1, spatial, head_dim / 2), rotary.
    """

    tokens: Tensor
    positions: Tensor
    angles: Tensor


def attend(attention: MemoryAttention, queries: Queries, keys: Keys) -> Tensor:
    """Condition the queries on memory.

    Returns:
        (targets, count, C), normalised, as `MemoryAttention.forward` gives it (batch first).
    """
    output = queries.tokens + 0.1 * queries.positions if attention.pos_enc_at_input else queries.tokens
    for layer in attention.layers:
        output = _layer(layer, output, queries, keys)
    return attention.norm(output)


def _layer(layer: MemoryAttentionLayer, output: Tensor, queries: Queries, keys: Keys) -> Tensor:
    normed = layer.norm1(output)
    query = normed + queries.positions if layer.pos_enc_at_attn else normed
    output = output + _rotary_attention(layer.self_attn, query, query, normed, queries.angles, queries.angles)

    normed = layer.norm2(output)
    query = normed + queries.positions if layer.pos_enc_at_cross_attn_queries else normed
    key = keys.tokens + keys.positions if layer.pos_enc_at_cross_attn_keys else keys.tokens
    output = output + _rotary_attention(layer.cross_attn_image, query, key, keys.tokens, queries.angles, keys.angles)
    return output + layer.linear2(layer.activation(layer.linear1(layer.norm3(output))))


def _rotary_attention(
    module: RoPEAttention,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    query_angles: Tensor,
    key_angles: Tensor,
) -> Tensor:
    heads = module.num_heads
    q = rotate(module._separate_heads(module.q_proj(query), heads), query_angles)
    k = module._separate_heads(module.k_proj(key), heads)
    v = module._separate_heads(module.v_proj(value), heads)
    rotated = key_angles.shape[-2]
    # In place, as upstream does: the pointers behind the spatial keys stay as they are, without a copy of all.
    k[:, :, :rotated] = rotate(k[:, :, :rotated], key_angles)
    return module.out_proj(module._recombine_heads(F.scaled_dot_product_attention(q, k, v)))
