"""Ring buffers of memory frames, and which tokens they keep."""

from __future__ import annotations

import pytest
import torch

from fastsam2_ros.streaming.memory import MemoryFrame, TargetMemory

TOKENS = 10


def frame(index: int, ranked: bool = True) -> MemoryFrame:
    features = torch.arange(TOKENS, dtype=torch.bfloat16)[:, None] + 100 * index
    ranking = torch.tensor([9, 0, 8, 1, 7, 2, 6, 3, 5, 4]) if ranked else None
    return MemoryFrame(index, features, torch.arange(TOKENS), ranking)


def test_a_frame_keeps_its_best_tokens_in_the_order_of_the_grid():
    kept = frame(0).keep(4)
    assert kept.tokens.tolist() == [0, 1, 8, 9]
    assert kept.features[:, 0].tolist() == [0, 1, 8, 9]


def test_a_frame_can_be_pruned_again():
    assert frame(0).keep(6).keep(3).tokens.tolist() == frame(0).keep(3).tokens.tolist() == [0, 8, 9]


def test_a_frame_without_ranking_stays_whole():
    assert len(frame(0, ranked=False).keep(3).tokens) == TOKENS


def test_the_newest_frame_is_whole_until_the_next_one_comes():
    memory = TargetMemory(6, 2, 15)
    pointer = torch.zeros(4)
    memory.add_prompt(frame(0), pointer, middle_tokens=2)
    for index in (1, 2, 3):
        memory.add(frame(index), pointer, middle_tokens=2)
    assert [len(each.tokens) for each, _ in memory.frames(4)] == [TOKENS, 2, 2, TOKENS]


def test_memory_is_bounded():
    memory = TargetMemory(6, 2, 15)
    sizes = []
    for index in range(60):
        if index % 10 == 0:
            memory.add_prompt(frame(index), torch.zeros(4), 3)
        else:
            memory.add(frame(index), torch.zeros(4), 3)
        sizes.append(memory.size_bytes())
    assert len(memory.prompts) == 2
    assert len(memory.recent) == 6
    assert max(sizes[30:]) == sizes[30 + sizes[30:40].index(max(sizes[30:40]))]
    assert len(memory.pointers(60)) <= 2 + 15


def test_a_frame_that_is_prompted_twice_is_remembered_once():
    memory = TargetMemory(6, 2, 15)
    for pointer in (1.0, 2.0):
        memory.add_prompt(frame(0), torch.tensor([pointer]), TOKENS)
    assert [each.index for each, _ in memory.frames(1)] == [0]
    assert [int(pointer) for _, pointer in memory.pointers(1)] == [2]


def test_frames_and_pointers_come_in_upstreams_order_with_their_distances():
    memory = TargetMemory(6, 2, 15)
    memory.add_prompt(frame(0), torch.tensor([0.0]), TOKENS)
    for index in range(1, 20):
        memory.add(frame(index), torch.tensor([float(index)]), TOKENS)
    assert [(each.index, distance) for each, distance in memory.frames(20)] == [
        (0, 0), (14, 6), (15, 5), (16, 4), (17, 3), (18, 2), (19, 1),
    ]  # fmt: skip
    assert [(distance, int(pointer)) for distance, pointer in memory.pointers(20)] == [
        (20, 0), *((distance, 20 - distance) for distance in range(1, 16)),
    ]  # fmt: skip


def test_every_part_of_a_frame_counts_in_its_bytes():
    whole = TOKENS * 2 + TOKENS * 8  # one bf16 channel, and places
    assert frame(0, ranked=False).size_bytes() == whole
    assert frame(0).size_bytes() == whole + TOKENS * 8


def prompted(*indices: int, prompts: int = 2) -> TargetMemory:
    memory = TargetMemory(6, prompts, 15)
    for index in indices:
        memory.add_prompt(frame(index), torch.tensor([float(index)]), TOKENS)
    return memory


def test_the_first_prompt_stays_and_of_later_ones_the_newest():
    memory = prompted(0, 10, 20, 30)
    assert [each.index for each in memory.prompts] == [0, 30]
    assert [int(pointer) for _, pointer in memory.pointers(31)] == [0, 30]
    assert [each.index for each in prompted(0, 10, 20, 30, prompts=3).prompts] == [0, 20, 30]


def test_a_frame_with_a_prompt_is_not_remembered_without_it_too():
    memory = prompted(0)
    for index in (1, 2, 3):
        memory.add(frame(index), torch.tensor([float(index)]), TOKENS)
    memory.add_prompt(frame(3), torch.tensor([30.0]), TOKENS)
    assert [each.index for each, _ in memory.frames(4)] == [0, 3, 1, 2]
    assert [int(pointer) for _, pointer in memory.pointers(4)] == [0, 30, 2, 1]


def test_a_copy_changes_by_itself():
    memory = prompted(0)
    other = memory.copy()
    other.add(frame(1), torch.zeros(1), 2)
    other.add_prompt(frame(2), torch.zeros(1), 2)
    assert [each.index for each, _ in memory.frames(3)] == [0]
    assert len(memory.prompts[0].tokens) == TOKENS
    assert [each.index for each, _ in other.frames(3)] == [0, 2, 1]


def test_frames_that_are_left_out_age_nothing():
    memory = prompted(0)
    for index in (1, 2):
        memory.add(frame(index), torch.tensor([float(index)]), TOKENS)
    for index in range(3, 40):
        memory.skip(index)
    assert [(each.index, distance) for each, distance in memory.frames(40)] == [(0, 0), (1, 2), (2, 1)]
    assert [distance for distance, _ in memory.pointers(40)] == [3, 1, 2]


def test_a_frame_that_was_left_out_can_be_prompted():
    memory = prompted(0)
    for index in (1, 2):
        memory.add(frame(index), torch.tensor([float(index)]), TOKENS)
    memory.skip(3)
    memory.add_prompt(frame(3), torch.tensor([3.0]), TOKENS)
    assert [(each.index, distance) for each, distance in memory.frames(4)] == [(0, 0), (3, 0), (1, 3), (2, 2)]


def on_grid(side: int, tokens: list[int] | None = None, ranking: list[int] | None = None) -> MemoryFrame:
    """A frame whose features are the row and the column of the token, in shares of the picture."""
    chosen = torch.arange(side * side) if tokens is None else torch.tensor(tokens)
    features = torch.stack((chosen // side, chosen % side), dim=1).float().add(0.5) / side
    return MemoryFrame(3, features.bfloat16(), chosen, None if ranking is None else torch.tensor(ranking))


@pytest.mark.parametrize(("old", "new"), [(4, 2), (2, 4), (8, 6), (6, 8), (32, 16)])
def test_on_another_grid_tokens_are_where_they_were(old, new):
    moved = on_grid(old).at_grid((old, old), (new, new))
    assert torch.equal(moved.tokens, torch.arange(new * new))
    assert moved.features.dtype == torch.bfloat16
    # No nearer than half a token of the coarser grid.
    assert (moved.features.float() - on_grid(new).features.float()).abs().max() <= 0.5 / min(old, new) + 0.01


def test_on_a_coarser_grid_a_token_is_the_mean_of_those_that_were_kept():
    moved = on_grid(4, [0, 1, 2, 6, 10]).at_grid((4, 4), (2, 2))
    assert moved.tokens.tolist() == [0]  # a third of 4; as much was kept of the next cell, but later
    assert moved.features.tolist() == [[0.125, 0.25]]
    assert moved.ranking is None


def test_on_a_finer_grid_a_token_is_all_that_are_in_it():
    moved = on_grid(2, [1]).at_grid((2, 2), (4, 4))
    assert moved.tokens.tolist() == [2, 3, 6, 7]
    assert moved.features.tolist() == [[0.25, 0.75]] * 4


def test_on_another_grid_the_best_tokens_are_still_the_best():
    """Of each cell one token is kept; the last has the best, the first the second best."""
    moved = on_grid(4, [0, 3, 8, 15], ranking=[3, 0, 1, 2]).at_grid((4, 4), (2, 2))
    assert moved.tokens.tolist() == [3]
    finer = on_grid(2, [0, 1, 3], ranking=[2, 0, 1]).at_grid((2, 2), (4, 4))
    assert finer.keep(4).tokens.tolist() == [10, 11, 14, 15]
    assert finer.keep(8).tokens.tolist() == [0, 1, 4, 5, 10, 11, 14, 15]


@pytest.mark.parametrize(("old", "new"), [(32, 16), (32, 24), (32, 20), (64, 16), (16, 32)])
def test_on_another_grid_the_share_of_the_tokens_is_the_same(old, new):
    """So that targets whose frames had as many tokens go on as one batch."""
    generator = torch.Generator().manual_seed(0)
    for kept in (1, old * old // 7, old * old // 3, old * old):
        drawn = [torch.randperm(old * old, generator=generator)[:kept].sort().values.tolist() for _ in range(3)]
        frames = [on_grid(old, tokens, torch.randperm(kept, generator=generator).tolist()) for tokens in drawn]
        counts = {len(each.at_grid((old, old), (new, new)).tokens) for each in frames}
        assert counts == {max(1, round(kept * new**2 / old**2))}


def test_back_on_its_grid_a_frame_is_what_it_was_less_what_was_dropped_meanwhile():
    frame = on_grid(8, list(range(0, 64, 2)), ranking=list(range(31, -1, -1)))
    small = frame.at_grid((8, 8), (4, 4))
    assert torch.equal(small.at_grid((4, 4), (8, 8)).features, frame.features)
    assert torch.equal(small.at_grid((4, 4), (6, 6)).at_grid((6, 6), (8, 8)).tokens, frame.tokens)
    assert torch.equal(small.keep(4).at_grid((4, 4), (8, 8)).tokens, frame.keep(16).tokens)
    assert small.size_bytes() > frame.size_bytes()


@pytest.mark.parametrize(("old", "new"), [(32, 16), (32, 20), (64, 16)])
def test_a_frame_of_which_nothing_was_dropped_comes_back_whole(old, new):
    generator = torch.Generator().manual_seed(0)
    for kept in range(1, old * old, old * old // 9):
        tokens = torch.randperm(old * old, generator=generator)[:kept].sort().values.tolist()
        frame = on_grid(old, tokens, torch.randperm(kept, generator=generator).tolist())
        assert frame.at_grid((old, old), (new, new)).at_grid((new, new), (old, old)) is frame


def test_what_is_dropped_of_a_frame_on_another_grid_is_freed_there_too():
    frame = on_grid(32, list(range(1024)), ranking=list(range(1024)))
    small = frame.at_grid((32, 32), (16, 16))
    assert small.keep(16).size_bytes() < 0.1 * small.size_bytes()


def test_a_memory_goes_to_another_grid_as_a_whole_and_its_copy_does_not():
    memory = TargetMemory(6, 2, 15)
    memory.add_prompt(on_grid(4), torch.zeros(4), 3)
    memory.add(on_grid(4), torch.ones(4), 3)
    copy, limit = memory.copy(), memory.recent.maxlen
    memory.to_grid((4, 4), (2, 2))
    assert [len(each.tokens) for each, _ in memory.frames(4)] == [4, 4]
    assert [len(each.tokens) for each, _ in copy.frames(4)] == [16, 16]
    assert memory.recent.maxlen == limit
    assert len(memory.pointers(4)) == 2
