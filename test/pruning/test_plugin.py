"""`prune` on upstream's predictor: what it leaves as it was, what it drops, and that states stay apart."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import numpy as np
import pytest
import torch

from fastsam2_ros import prune
from fastsam2_ros.pruning import budget, hooks, loaded_video, pruner
from fastsam2_ros.pruning.plugin import MOTION
from fastsam2_ros.pruning.upstream_memory import memory_of, pruned
from fastsam2_ros.streaming.rotary import RotaryTable
from fastsam2_ros.streaming.shares import TokenShares
from fastsam2_ros.streaming.warp import moved

from .predicted import (
    BOX,
    FRAMES,
    KEEP,
    KEYS,
    QUERIES,
    SHORT,
    SIZE,
    TOKENS,
    all_same,
    by_frame,
    mask,
    same,
    save,
    session,
    smooth_noise,
    track,
)


@pytest.fixture(scope="module")
def upstream(model, video):
    results = session(model, video)
    assert len(results[1]) == 12
    assert min(float(masks.std()) for part in results for _, masks in part.values()) > 0.01
    return results


@pytest.fixture(scope="module")
def one_object(model, video):
    return track(model, video, count=SHORT)[1]


@pytest.fixture
def attended(monkeypatch):
    """(queries, keys) of every call of the pruned attention."""
    calls = []
    original = hooks.attend

    def spy(attention, queries, keys):
        calls.append((queries, keys))
        return original(attention, queries, keys)

    monkeypatch.setattr(hooks, "attend", spy)
    return calls


def test_keep_one_is_upstream_bit_for_bit(predictor, video, upstream):
    prune(predictor, keep=1)
    assert all_same(session(predictor, video), upstream)


def test_all_tokens_through_the_pruned_attention_are_upstream_bit_for_bit(
    predictor, video, one_object, monkeypatch, attended
):
    prune(predictor, keep=MOTION)  # every frame gets every token, and none is ever dropped
    monkeypatch.setattr(pruner.TokenShares, "of", lambda *_: TokenShares(1.0, 1.0, 1.0))
    _, ours = track(predictor, video, count=SHORT)
    assert len(attended) == SHORT
    assert same(ours, one_object)


def test_memory_attention_sees_the_kept_tokens_only(predictor, video, attended):
    prune(predictor, keep=KEEP)
    track(predictor, video, count=10)
    queries = [queries.tokens.shape[1] for queries, _ in attended]
    spatial = [keys.angles.shape[2] for _, keys in attended]
    assert queries == [TOKENS] + [QUERIES] * 9  # nothing stands in for pruned queries right after a prompt
    assert spatial == [KEYS * min(7, 1 + frame) for frame in range(10)]  # the prompt, and up to six frames


def test_pruned_memory_takes_less_room(predictor, video):
    def stored(state):
        outs = state["output_dict_per_obj"][0]["non_cond_frame_outputs"].values()
        return sum(out["maskmem_features"].numel() for out in outs)

    dense, _ = track(predictor, video, count=SHORT)
    prune(predictor, keep=KEEP)
    pruned, _ = track(predictor, video, count=SHORT)
    width = predictor.mem_dim
    assert stored(dense) == SHORT * TOKENS * width
    assert stored(pruned) == SHORT * KEYS * width


def test_memory_that_no_score_tells_apart_is_spread_over_the_frame():
    _, (memory, _) = pruned(torch.zeros(1, 4, 16, 16), [torch.zeros(1, 4, 16, 16)], 0, torch.zeros(TOKENS), 32)
    assert len(set((memory.tokens // 16).tolist())) == 16


@pytest.mark.parametrize("reverse", [False, True])
def test_keys_are_rotated_by_their_own_places(predictor, video, attended, reverse):
    prune(predictor, keep=0.05)
    state = predictor.init_state(video)
    predictor.add_new_points_or_box(state, 10, 1, box=BOX)
    list(predictor.propagate_in_video(state, max_frame_num_to_track=5, reverse=reverse))
    outs = state["output_dict_per_obj"][0]
    step = -1 if reverse else 1
    read = [outs["cond_frame_outputs"][10]] + [outs["non_cond_frame_outputs"][10 + step * n] for n in (1, 2, 3, 4)]
    tokens = torch.cat([memory_of(out).tokens for out in read])
    _, keys = attended[-1]
    assert keys.angles.shape[2] == len(tokens) < TOKENS
    assert torch.equal(
        keys.angles[0, 0], RotaryTable.of(predictor.memory_attention, (16, 16), predictor.device).angles[tokens]
    )


def test_pruned_queries_get_what_the_frame_before_had_there(predictor, video, attended):
    prune(predictor, keep=KEEP)
    state, _ = track(predictor, video, count=5)
    outs = state["output_dict_per_obj"][0]["non_cond_frame_outputs"]
    before, now = (outs[index]["fastsam2_pruning"].conditioned for index in (4, 5))
    camera = loaded_video.motion_between(state, 4, 5, outs[4]["pred_masks"]).camera
    assert np.abs(camera[:, 2]).min() > 0.01  # the window moves
    there = moved(before.T.unflatten(1, (16, 16))[None], camera, outside="border")[0].flatten(1).T
    assert int((there == now).all(1).sum()) == TOKENS - QUERIES


def test_pruned_masks_are_finite_and_of_the_videos_size(predictor, video, upstream):
    prune(predictor, keep=KEEP)
    results = session(predictor, video)
    for part, dense in zip(results, upstream, strict=True):
        assert part.keys() == dense.keys()
        for index, (ids, masks) in part.items():
            assert ids == dense[index][0]
            assert masks.shape == (2, 1, *SIZE)
            assert masks.isfinite().all()
    assert not same(results[1], upstream[1])


def test_offloaded_states_give_the_same(predictor, video):
    prune(predictor, keep=0.05)
    _, expected = track(predictor, video, count=6)
    state = predictor.init_state(video, offload_video_to_cpu=True, offload_state_to_cpu=True)
    predictor.add_new_points_or_box(state, 0, 1, box=BOX)
    assert same(by_frame(predictor.propagate_in_video(state, max_frame_num_to_track=6)), expected)


def test_two_states_do_not_disturb_one_another(predictor, video):
    prune(predictor, keep=KEEP)
    other = {"points": [[90, 60]], "labels": [1]}
    alone = track(predictor, video, count=SHORT)[1], track(predictor, video, count=SHORT, **other)[1]
    states = predictor.init_state(video), predictor.init_state(video)
    predictor.add_new_points_or_box(states[0], 0, 1, box=BOX)
    predictor.add_new_points_or_box(states[1], 0, 1, **other)
    runs = [predictor.propagate_in_video(state, max_frame_num_to_track=SHORT) for state in states]
    together = {}, {}
    for steps in zip(*runs, strict=True):
        for found, (index, ids, masks) in zip(together, steps, strict=True):
            found[index] = tuple(ids), masks.clone()
    assert not same(*together)
    assert all_same(together, alone)


def test_two_states_in_two_threads_give_what_they_give_alone(predictor, video, monkeypatch):
    prune(predictor, keep=KEEP)
    prompts = {"box": BOX}, {"points": [[90, 60]], "labels": [1]}
    alone = [track(predictor, video, count=SHORT, **prompt)[1] for prompt in prompts]
    both = Barrier(2, timeout=60)
    read_memory = predictor._prepare_memory_conditioned_features

    def together_in_a_frame(**arguments):
        both.wait()
        return read_memory(**arguments)

    monkeypatch.setattr(predictor, "_prepare_memory_conditioned_features", together_in_a_frame)
    with ThreadPoolExecutor(2) as pool:
        together = list(pool.map(lambda prompt: track(predictor, video, count=SHORT, **prompt)[1], prompts))
    assert all_same(together, alone)


def test_a_session_that_began_unpruned_goes_on(predictor, video, attended):
    state, _ = track(predictor, video, count=6)
    prune(predictor, keep=KEEP)
    results = by_frame(predictor.propagate_in_video(state, start_frame_idx=7))
    assert all(masks.isfinite().all() for _, masks in results.values())
    assert attended[0][0].tokens.shape[1] == QUERIES  # the second frame; the first has all tokens and earlier memory
    assert attended[0][1].angles.shape[2] == 6 * TOKENS + KEYS


def test_reset_and_removed_objects_leave_no_trace(predictor, video):
    prune(predictor, keep=KEEP)
    _, expected = track(predictor, video, count=6)
    state = predictor.init_state(video)
    predictor.add_new_mask(state, 0, 5, mask())
    list(predictor.propagate_in_video(state, max_frame_num_to_track=6))
    predictor.reset_state(state)
    predictor.add_new_mask(state, 0, 7, mask())
    predictor.add_new_points_or_box(state, 0, 1, box=BOX)
    predictor.remove_object(state, 7)
    assert same(by_frame(predictor.propagate_in_video(state, max_frame_num_to_track=6)), expected)


def test_motion_raises_the_keep_ratio(predictor, video, tmp_path, attended, monkeypatch):
    monkeypatch.setattr(budget, "ROOM", 0.0)  # the masks of random weights are large, and raise it too
    prune(predictor, keep=MOTION)
    track(predictor, video)
    moving = [queries.tokens.shape[1] for queries, _ in attended]
    attended.clear()
    track(predictor, save(tmp_path, [smooth_noise(0)[: SIZE[0], : SIZE[1]]] * FRAMES))
    still = [queries.tokens.shape[1] for queries, _ in attended]
    assert still[-1] < moving[-1]
    assert still == sorted(still, reverse=True)


def test_a_large_mask_raises_the_keep_ratio(predictor, video, attended):
    prune(predictor, keep=MOTION)
    state, _ = track(predictor, video, count=4)
    outs = next(iter(state["output_dict_per_obj"].values()))["non_cond_frame_outputs"]
    covered = float((outs[2]["pred_masks"] > 0).float().mean())
    assert attended[-1][0].tokens.shape[1] >= covered * TOKENS > 0.253 * TOKENS  # more than motion could give
