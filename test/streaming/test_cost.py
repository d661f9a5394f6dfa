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

TINY = AttentionSize.of_config(find_config("tiny"))


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
    dense = AttentionCounts(TINY.tokens, TINY.frames * TINY.tokens, pointers=16 * 4)
    assert TINY.flops(dense) == pytest.approx(606e9, rel=0.005)


def test_a_configuration_and_its_model_say_the_same():
    path = find_config("mini")
    assert AttentionSize.of_config(path) == AttentionSize.of(build(path))


@pytest.mark.parametrize("name", ["tiny", "small", "base_plus", "large"])
def test_released_configurations_can_be_read(name):
    size = AttentionSize.of_config(find_config(name))
    assert (size.tokens, size.frames, size.layers, size.width, size.memory_width) == (4096, 7, 4, 256, 64)


def test_shares_of_another_model_can_be_costed_here():
    mini = AttentionCounts(queries=512, keys=3584, pointers=64)
    assert TINY.scaled(mini, tokens=1024) == AttentionCounts(2048, 14336, 64)
