"""Operations of memory attention, against torch's own count and upstream's measured one."""

from __future__ import annotations

import pytest
import torch
from small_models import small_sam2
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

from fastsam2_ros.results import AttentionCounts
from fastsam2_ros.streaming.attention import Keys, Queries, attend
from fastsam2_ros.streaming.cost import AttentionSize
from fastsam2_ros.streaming.loading import build, find_config
from fastsam2_ros.streaming.rotary import RotaryTable


@pytest.mark.parametrize("counts", [AttentionCounts(256, 1792, 64), AttentionCounts(70, 500, 8)])
def test_torch_counts_the_same(counts):
    model = small_sam2()
    attention = model.memory_attention
    table = RotaryTable((16, 16), attention.layers[0].self_attn.internal_dim, 10000.0, torch.device("cpu"))
    asking = torch.rand(1, counts.queries, 128)
    memory = torch.rand(1, counts.keys + counts.pointers, 64)
    places = torch.arange(counts.keys)[None] % 256
    with FlopCounterMode(display=False) as counter, sdpa_kernel(SDPBackend.MATH):
        queries = Queries(asking, asking, table.at(torch.arange(counts.queries)[None]))
        attend(attention, queries, Keys(memory, memory, table.at(places)))
    assert AttentionSize.of(model).flops(counts) == counter.get_total_flops()


def test_tiny_costs_what_upstream_was_measured_to():
    tiny = AttentionSize.of(build(find_config("tiny")))
    dense = AttentionCounts(tiny.tokens, tiny.frames * tiny.tokens, pointers=16 * 4)
    assert tiny.flops(dense) == pytest.approx(606e9, rel=0.005)
