"""Means of dropped tokens that count for as many as they stand for."""

from __future__ import annotations

import pytest
import torch
from small_models import small_sam2

from fastsam2_ros.streaming.attention import Keys, Queries, attend
from fastsam2_ros.streaming.memory import MemoryFrame
from fastsam2_ros.streaming.pooling import merged_rows
from fastsam2_ros.streaming.rotary import RotaryTable

GRID = (4, 4)
TOKENS = 16


def frame(ranking: list[int], values: torch.Tensor | None = None) -> MemoryFrame:
    features = torch.arange(TOKENS)[:, None] if values is None else values
    return MemoryFrame(0, features.to(torch.bfloat16), torch.arange(TOKENS), torch.tensor(ranking), GRID)


def test_means_of_the_dropped_by_hand():
    """Four rows: cells of 4 x 4 are the smallest that give at most two means; three best, and one mean of the rest."""
    kept = frame([5, 0, 10, *(n for n in range(TOKENS) if n not in (0, 5, 10))]).keep(4)
    assert kept.features[:3, 0].tolist() == [0, 5, 10]
    assert float(kept.features[3, 0]) == pytest.approx((sum(range(TOKENS)) - 15) / 13, abs=0.03)
    assert kept.counts.tolist() == [1, 1, 1, 13]
    # Rows and columns of the others: 24 - (0 + 1 + 2) = 21 of 13 each, 1.6: the nearest place is (2, 2).
    assert kept.tokens.tolist() == [0, 5, 10, 10]
    assert kept.ranking.tolist() == [1, 0, 2, 3]


def test_a_cell_of_equal_tokens_is_exactly_that_token():
    values = torch.tensor([1.0, 1, 2, 2] * 2 + [3.0, 3, 4, 4] * 2)[:, None]
    kept = frame(list(range(TOKENS)), values).keep(8)
    # Four cells of 2 x 2; the four best are all of the uppermost row, so that two cells have two left and two have four.
    assert kept.tokens[:4].tolist() == [0, 1, 2, 3]
    assert kept.features[:, 0].tolist() == [1, 1, 2, 2, 1, 2, 3, 4]
    assert kept.counts.tolist() == [1, 1, 1, 1, 2, 2, 4, 4]


@pytest.mark.parametrize("grid", [(4, 4), (5, 7), (16, 16), (1, 20)])
@pytest.mark.parametrize("seed", range(3))
def test_the_number_of_rows_is_what_was_asked_for(grid, seed):
    total = grid[0] * grid[1]
    ranking = torch.randperm(total, generator=torch.Generator().manual_seed(seed))
    for count in range(2, total):
        rows = merged_rows(torch.arange(total), ranking, grid, count)
        assert rows.unique().tolist() == list(range(count))


def test_nothing_is_lost_and_the_best_stay_alone():
    ranking = torch.randperm(256, generator=torch.Generator().manual_seed(1))
    whole = MemoryFrame(0, torch.ones(256, 3).bfloat16(), torch.arange(256), ranking, (16, 16))
    first = whole.keep(100)
    second = first.keep(20)
    for kept, count in ((first, 100), (second, 20)):
        assert len(kept.features) == len(kept.tokens) == len(kept.ranking) == len(kept.counts) == count
        assert kept.counts.sum() == 256
        assert sorted(kept.ranking.tolist()) == list(range(count))
        best = kept.tokens[kept.ranking[: count // 2]].tolist()
        assert best == ranking[: count // 2].tolist()
        assert kept.counts[kept.ranking[: count // 2]].tolist() == [1] * (count // 2)


def test_means_of_means_are_weighted():
    ranking = list(range(TOKENS))
    values = torch.rand(TOKENS, 1, generator=torch.Generator().manual_seed(2))
    twice = frame(ranking, values).keep(8).keep(2)
    total = (twice.features.float()[:, 0] * twice.counts).sum()
    assert float(total) == pytest.approx(float(values.bfloat16().float().sum()), rel=0.01)


def test_one_row_is_the_best_token():
    kept = frame(list(range(TOKENS))[::-1]).keep(1)
    assert kept.tokens.tolist() == [15]
    assert kept.counts is None


@torch.inference_mode()
def test_a_key_for_n_tokens_equals_n_keys():
    attention = small_sam2().memory_attention
    table = RotaryTable((16, 16), attention.layers[0].self_attn.internal_dim, 10000.0, torch.device("cpu"))
    generator = torch.Generator().manual_seed(0)
    queries = torch.arange(40)[None]
    asking = Queries(
        torch.randn(1, 40, 128, generator=generator), torch.randn(1, 40, 128, generator=generator), table.at(queries)
    )
    places = torch.tensor([[3, 40, 200, 77]])
    counts = torch.tensor([1.0, 5.0, 64.0, 2.0])
    pointers = 4
    memory = torch.randn(1, 4 + pointers, 64, generator=generator)
    positions = torch.randn(1, 4 + pointers, 64, generator=generator)
    bias = torch.cat([counts, torch.ones(pointers)]).log()[None, None, None]
    rows = torch.cat([torch.arange(4).repeat_interleave(counts.long()), torch.arange(4, 4 + pointers)])
    spatial = rows[:-pointers]
    repeated = Keys(memory[:, rows], positions[:, rows], table.at(places[:, spatial]))
    merged = attend(attention, asking, Keys(memory, positions, table.at(places), bias))
    assert (merged - attend(attention, asking, repeated)).abs().max() <= 1e-5
    plain = attend(attention, asking, Keys(memory, positions, table.at(places)))
    assert (merged - plain).abs().max() > 1e-3
