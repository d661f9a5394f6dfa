"""Memory attention on a subset of tokens, against upstream's own module."""

from __future__ import annotations

import math

import pytest
import torch
import torch.nn.functional as F
from small_models import small_sam2

from fastsam2_ros.streaming.attention import Keys, Queries, attend
from fastsam2_ros.streaming.rotary import RotaryTable

GRID = (16, 16)
TOKENS = GRID[0] * GRID[1]
FRAMES = 3
POINTER_TOKENS = 8
BATCH = 2


@pytest.fixture(scope="module")
def attention():
    return small_sam2().memory_attention


@pytest.fixture(scope="module")
def table(attention):
    width = attention.layers[0].self_attn.internal_dim
    return RotaryTable(GRID, width, 10000.0, torch.device("cpu"))


@pytest.fixture(scope="module")
def inputs():
    generator = torch.Generator().manual_seed(0)
    keys = FRAMES * TOKENS + POINTER_TOKENS
    shapes = ((BATCH, TOKENS, 128), (BATCH, TOKENS, 128), (BATCH, keys, 64), (BATCH, keys, 64))
    return tuple(torch.randn(shape, generator=generator) for shape in shapes)


def upstream(attention, inputs):
    tokens, positions, memory, memory_positions = (value.transpose(0, 1).contiguous() for value in inputs)
    return attention(tokens, memory, positions, memory_positions, POINTER_TOKENS).transpose(0, 1)


@torch.inference_mode()
def test_all_tokens_equal_upstream_bit_for_bit(attention, table, inputs):
    tokens, positions, memory, memory_positions = inputs
    everywhere = torch.arange(TOKENS).repeat(FRAMES).expand(BATCH, -1)
    output = attend(
        attention, Queries(tokens, positions, table.all()), Keys(memory, memory_positions, table.at(everywhere))
    )
    assert torch.equal(output, upstream(attention, inputs))


def pruned_inputs(inputs, keep, seed):
    """Random subsets: query indices (B, Q), key rows (B, K) into the spatial memory, and the gathered tensors."""
    generator = torch.Generator().manual_seed(seed)
    tokens, positions, memory, memory_positions = inputs
    query = torch.stack(
        [torch.randperm(TOKENS, generator=generator)[: int(keep * TOKENS)].sort().values for _ in range(BATCH)]
    )
    spatial = FRAMES * TOKENS
    key = torch.stack(
        [torch.randperm(spatial, generator=generator)[: int(keep * spatial)].sort().values for _ in range(BATCH)]
    )
    with_pointers = torch.cat([key, torch.arange(spatial, spatial + POINTER_TOKENS).expand(BATCH, -1)], dim=1)
    rows = torch.arange(BATCH)[:, None]
    gathered = (
        tokens[rows, query],
        positions[rows, query],
        memory[rows, with_pointers],
        memory_positions[rows, with_pointers],
    )
    return query, key, gathered


def masked_dense(attention, table, inputs, query, key):
    """Dense attention over everything, with the dropped keys masked out: written apart from the code under test."""
    tokens, positions, memory, memory_positions = inputs
    spatial = FRAMES * TOKENS
    self_mask = torch.zeros(BATCH, 1, 1, TOKENS, dtype=torch.bool)
    cross_mask = torch.zeros(BATCH, 1, 1, spatial + POINTER_TOKENS, dtype=torch.bool)
    cross_mask[..., spatial:] = True
    for row in range(BATCH):
        self_mask[row, ..., query[row]] = True
        cross_mask[row, ..., key[row]] = True

    def turn(x, angles):
        pairs = torch.view_as_complex(x.reshape(*x.shape[:-1], -1, 2))
        return torch.view_as_real(pairs * angles).flatten(-2)

    angles = table.angles
    output = tokens + 0.1 * positions
    for layer in attention.layers:
        for norm, module, mask in (
            (layer.norm1, layer.self_attn, self_mask),
            (layer.norm2, layer.cross_attn_image, cross_mask),
        ):
            normed = norm(output)
            cross = module is layer.cross_attn_image
            q = turn(module.q_proj(normed), angles)
            k = module.k_proj(memory + memory_positions if cross else normed)
            v = module.v_proj(memory if cross else normed)
            rotated = turn(k[:, : spatial if cross else TOKENS], angles.repeat(FRAMES if cross else 1, 1))
            k = torch.cat([rotated, k[:, rotated.shape[1] :]], dim=1)
            scores = q @ k.transpose(1, 2) / math.sqrt(q.shape[-1])
            weights = scores.masked_fill(~mask[:, 0], -torch.inf).softmax(-1)
            output = output + module.out_proj(weights @ v)
        output = output + layer.linear2(F.relu(layer.linear1(layer.norm3(output))))
    return attention.norm(output)


@pytest.mark.parametrize("keep", [0.05, 0.3, 0.7])
@torch.inference_mode()
def test_pruned_equals_dense_with_dropped_keys_masked(attention, table, inputs, keep):
    query, key, gathered = pruned_inputs(inputs, keep, seed=1)
    output = attend(
        attention,
        Queries(gathered[0], gathered[1], table.at(query)),
        Keys(gathered[2], gathered[3], table.at(key % TOKENS)),
    )
    reference = masked_dense(attention, table, inputs, query, key)
    expected = reference[torch.arange(BATCH)[:, None], query]
    assert (output - expected).abs().max() <= 1e-5


@torch.inference_mode()
def test_positions_by_count_are_wrong(attention, table, inputs):
    """What upstream would do with a subset: angles of the first tokens. The check above notices."""
    query, key, gathered = pruned_inputs(inputs, 0.3, seed=1)
    naive_query = torch.arange(query.shape[1]).expand(BATCH, -1)
    naive_key = torch.arange(key.shape[1]).expand(BATCH, -1) % TOKENS
    output = attend(
        attention,
        Queries(gathered[0], gathered[1], table.at(naive_query)),
        Keys(gathered[2], gathered[3], table.at(naive_key)),
    )
    expected = masked_dense(attention, table, inputs, query, key)[torch.arange(BATCH)[:, None], query]
    assert (output - expected).abs().max() > 1e-3
